#!/bin/sh
# Removes what jobs leave behind on this host, in the container "clean-up":
#
#   clean-up.sh watch            once a day, and whenever the disk runs full
#   clean-up.sh now [--dry-run]  once; with --dry-run it only says what would go
#
# Nothing is forced, so Docker refuses what a container uses, running or stopped. What has the label "keep" stays.
set -eu

managed=label=com.gitlab.gitlab-runner.managed=true
job='{{.Label "com.gitlab.gitlab-runner.job.id"}}'
name='{{.Repository}}:{{.Tag}}'
dry_run=

say() { printf '%s %s\n' "$(date '+%F %T')" "$*"; }
# The root folder of a container is on the disk where the engine keeps its images.
free_gb() { df -Pk / | awk 'NR == 2 { print int($4 / 1024 / 1024) }'; }
is_full() { [ "$(free_gb)" -lt "$FREE_GB" ]; }
without() { printf '%s\n' "$1" | grep -vxF -e '' -e "$2" || true; } # LINES LINES

remove() { # COMMAND...: says what went, and how much that freed where Docker tells
  if [ -n "$dry_run" ]; then echo "would run: $*"
  elif told=$("$@" 2>&1); then say "$*: $(printf '%s\n' "$told" | tail -n 1)"
  else say "$*: left: $(printf '%s\n' "$told" | head -n 1)"; fi
}

# Lines "ID|JOB|CREATED": the ids of those older than a day whose job does not run any more.
of_ended_jobs() { # LINES
  running=$(docker ps --filter "$managed" --format "$job") || return
  printf '%s\n' "$1" | running=$running awk -F '|' -v day_ago="$(date -d "@$(($(date +%s) - 86400))" '+%F %T')" '
    BEGIN { split(ENVIRON["running"], list, "\n"); for (at in list) runs[list[at]] = 1 }
    NF == 3 && !($2 in runs) && $3 < day_ago { print $1 }'
}

daily() {
  all=$(docker ps --all --no-trunc --filter "$managed" --filter status=exited --filter status=created \
    --filter status=dead --format "{{.ID}}|$job|{{.CreatedAt}}") || return
  ended=$(of_ended_jobs "$all") || return
  kept=$(docker ps --all --quiet --no-trunc --filter label=keep) || return
  for id in $(without "$ended" "$kept"); do remove docker rm --volumes "$id"; done
  all=$(docker network ls --no-trunc --filter "$managed" --format "{{.ID}}|$job|{{.CreatedAt}}") || return
  for id in $(of_ended_jobs "$all"); do remove docker network rm "$id"; done
  remove docker image prune --force --filter until=24h --filter 'label!=keep'
  remove docker builder prune --force --filter "until=$((KEEP_DAYS * 24))h"
}

# With too little room: the build cache, then caches of jobs, then images that config.toml lets come back. In between
# stages no container of a job may have its image, so images wait for a moment without jobs.
by_need() {
  is_full || return 0
  say "only $(free_gb) GB free; $FREE_GB are wanted"
  remove docker builder prune --force --filter until=1h
  all=$(docker volume ls --quiet) || return
  ours=$(docker volume ls --quiet --filter "$managed") || return
  kept=$(docker volume ls --quiet --filter label=keep) || return
  caches=$(printf '%s\n' "$all" | grep -E '^runner-.+-cache-[0-9a-f]{32}(-protected)?$') || true
  for volume in $(without "$(printf '%s\n' "$ours" "$caches" | sort -u)" "$kept"); do
    if is_full; then remove docker volume rm "$volume"; fi
  done
  policies=$(grep -E '^[[:space:]]*pull_policy[[:space:]]*=' "${CONFIG:-/config/config.toml}") || true
  if printf '%s\n' "$policies" | grep -qv '"always"'; then say 'images stay: config.toml does not always pull them'; return 0; fi
  jobs=$(docker ps --quiet --filter "$managed") || return
  if [ -n "$jobs" ]; then say 'images stay while jobs run'; return 0; fi
  kept=$(docker image ls --filter label=keep --format "$name") || return
  kept=$(printf '%s\n' "$kept" "$KEEP_IMAGES" | tr ' ' '\n')
  # Docker lists the newest first: the oldest goes first.
  all=$(docker image ls --filter dangling=false --format "$name" | tac) || return
  for image in $(without "$all" "$kept"); do
    case $image in *gitlab-runner-helper:* | *'<none>'*) continue ;; esac
    if is_full; then remove docker image rm "$image"; fi
  done
  say "$(free_gb) GB free now"
}

case ${1:-} in
  now)
    [ "${2:-}" != --dry-run ] || dry_run=yes
    daily
    by_need ;;
  watch)
    trap 'exit 0' TERM INT
    minute=0
    while :; do
      # The engine may be restarting: the next time will do.
      if [ $((minute % 1440)) = 5 ]; then daily || say 'Docker does not answer'; fi
      by_need || say 'Docker does not answer'
      minute=$((minute + 5))
      sleep 300 &
      wait $!
    done ;;
  *) sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
