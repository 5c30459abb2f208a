#!/bin/sh
# Removes what jobs leave behind on this host: in the container "clean-up" daily and where the disk runs full; "now" does it once.
# Nothing is forced, so Docker refuses what a container uses, running or stopped. What has the label "keep" stays.
set -eu

managed=label=com.gitlab.gitlab-runner.managed=true
name='{{.Repository}}:{{.Tag}}'

say() { printf '%s %s\n' "$(date '+%F %T')" "$*"; }
# The root folder of a container is on the disk where the engine keeps its images.
free_gb() { df -Pk / | awk 'NR == 2 { print int($4 / 1024 / 1024) }'; }
is_full() { [ "$(free_gb)" -lt "$FREE_GB" ]; }
without() { printf '%s\n' "$1" | grep -vxF -e '' -e "$(printf '%s\n' "$2" | tr ' ' '\n')" || true; } # LINES WORDS

remove() { # WORDS of docker...: says what went, and how much that freed where Docker tells
  if told=$(docker "$@" 2>&1); then say "$*: $(printf '%s\n' "$told" | tail -n 1)"
  else say "$*: left: $(printf '%s\n' "$told" | head -n 1)"; fi
}
make_room() { for one in $2; do if is_full; then remove "$1" rm "$one"; fi; done; } # KIND NAMES

# What is older than KEEP_DAYS belongs to no job that runs. A word would count as 0 days.
daily() {
  case ${KEEP_DAYS:?} in *[!0-9]* | 0?*) say 'KEEP_DAYS is no number of days' >&2; exit 2 ;; esac
  age=until=$((KEEP_DAYS * 24))h
  remove container prune --force --filter "$managed" --filter 'label!=keep' --filter "$age"
  remove network prune --force --filter "$managed" --filter 'label!=keep' --filter "$age"
  remove image prune --force --filter 'label!=keep' --filter until=24h
  remove builder prune --force --filter "$age"
}

# With too little room: the build cache, then caches of jobs, then images that config.toml lets come back. In between
# stages no container of a job may have its image, so images wait for a moment without jobs.
by_need() {
  is_full || return 0
  say "only $(free_gb) GB free; $FREE_GB are wanted"
  remove builder prune --force --filter until=1h
  kept=$(docker volume ls --quiet --filter label=keep) || return
  ours=$(docker volume ls --quiet --filter "$managed") && all=$(docker volume ls --quiet) || return
  caches=$(printf '%s\n' "$all" | grep -E '^runner-.+-cache-[0-9a-f]{32}(-protected)?$') || true
  make_room volume "$(without "$(printf '%s\n' "$ours" "$caches" | sort -u)" "$kept")"
  policies=$(grep -E '^[[:space:]]*pull_policy[[:space:]]*=' "${CONFIG:-/config/config.toml}") || true
  if printf '%s\n' "$policies" | grep -qv '"always"'; then say 'images stay: not all are always pulled'; return; fi
  jobs=$(docker ps --quiet --filter "$managed") || return
  if [ -n "$jobs" ]; then say 'images stay while jobs run'; return; fi
  kept="$KEEP_IMAGES $(docker image ls --filter label=keep --format "$name")" || return
  # Docker lists the newest first: the oldest goes first.
  all=$(docker image ls --filter dangling=false --format "$name") || return
  make_room image "$(without "$all" "$kept" | grep -vE 'gitlab-runner-helper:|<none>' | tac)"
  say "$(free_gb) GB free now"
}

if [ "${1:-}" = now ]; then daily; by_need; exit; fi
trap 'exit 0' TERM INT
minute=0
while :; do
  if [ $((minute % 1440)) = 5 ]; then daily; fi
  # The engine may be restarting: the next time will do.
  by_need || say 'Docker does not answer'
  minute=$((minute + 5))
  sleep 300 &
  wait $!
done
