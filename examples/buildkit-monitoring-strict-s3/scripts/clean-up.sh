#!/bin/sh
# Removes what jobs leave behind on this host, in the container "clean-up":
#
#   clean-up.sh watch  once a day, and whenever the disk runs full
#   clean-up.sh now    once
#
# Nothing is forced, so Docker refuses what a container uses, running or stopped. What has the label "keep" stays.
set -eu

managed=label=com.gitlab.gitlab-runner.managed=true
name='{{.Repository}}:{{.Tag}}'

say() { printf '%s %s\n' "$(date '+%F %T')" "$*"; }
# The root folder of a container is on the disk where the engine keeps its images.
free_gb() { df -Pk / | awk 'NR == 2 { print int($4 / 1024 / 1024) }'; }
is_full() { [ "$(free_gb)" -lt "$FREE_GB" ]; }

remove() { # WORDS of docker...: says what went, and how much that freed where Docker tells
  if told=$(docker "$@" 2>&1); then say "$*: $(printf '%s\n' "$told" | tail -n 1)"
  else say "$*: left: $(printf '%s\n' "$told" | head -n 1)"; fi
}

# What is older than KEEP_DAYS belongs to no job that runs.
daily() {
  age=until=$((KEEP_DAYS * 24))h
  remove container prune --force --filter "$managed" --filter 'label!=keep' --filter "$age"
  remove network prune --force --filter "$managed" --filter "$age"
  remove image prune --force --filter 'label!=keep' --filter until=24h
  remove builder prune --force --filter "$age"
}

# With too little room: the build cache, then caches of jobs, then images that config.toml lets come back. In between
# stages no container of a job may have its image, so images wait for a moment without jobs.
by_need() {
  is_full || return 0
  say "only $(free_gb) GB free; $FREE_GB are wanted"
  remove builder prune --force --filter until=1h
  caches='^runner-.+-cache-[0-9a-f]{32}(-protected)?$'
  for volume in $({ docker volume ls --quiet --filter "$managed"; docker volume ls --quiet | grep -E "$caches"; } | sort -u); do
    if is_full; then remove volume rm "$volume"; fi
  done
  policies=$(grep -E '^[[:space:]]*pull_policy[[:space:]]*=' "${CONFIG:-/config/config.toml}") || true
  if printf '%s\n' "$policies" | grep -qv '"always"'; then say 'images stay: config.toml does not always pull them'; return; fi
  if [ -n "$(docker ps --quiet --filter "$managed" || echo unknown)" ]; then say 'images stay while jobs run'; return; fi
  # Docker lists the newest first: the oldest goes first.
  all=$(docker image ls --filter dangling=false --format "$name" | tac)
  kept=$(docker image ls --filter label=keep --format "$name") || return
  for image in $(printf '%s\n' "$all" | grep -vxF "$(printf '%s\n' "$KEEP_IMAGES" "$kept" | tr ' ' '\n' | grep .)"); do
    case $image in *gitlab-runner-helper:* | *'<none>'*) continue ;; esac
    if is_full; then remove image rm "$image"; fi
  done
  say "$(free_gb) GB free now"
}

case ${1:-} in
  now) daily; by_need ;;
  watch)
    trap 'exit 0' TERM INT
    minute=0
    while :; do
      if [ $((minute % 1440)) = 5 ]; then daily; fi
      # The engine may be restarting: the next time will do.
      by_need || say 'Docker does not answer'
      minute=$((minute + 5))
      sleep 300 &
      wait $!
    done ;;
  *) sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
