#!/bin/sh
# Removes what jobs leave behind on this host: in the container "clean-up", or now by  make prune
#
#   clean-up.sh watch            goes on for ever: once a day by age, and whenever the disk runs full
#   clean-up.sh now [--dry-run]  once; with --dry-run it only says what would go
#
# Docker does not know when an image or a volume was last used. So this looks every minute what containers use, and
# keeps the time in /state; what it sees for the first time counts as used just then. It removes only what no
# container has used for KEEP_DAYS. With less than FREE_GB of disk it goes on with younger things, the longest unused
# first, but with nothing younger than KEEP_MINUTES: a pipeline may be between two jobs.
#
# Never removed: what a container uses, running or stopped; all of a job that runs; what has the label "keep"; volumes
# that are not the caches of jobs. Nothing is forced, so Docker refuses what has come into use meanwhile.
set -eu

state=${STATE:-/state}
managed=label=com.gitlab.gitlab-runner.managed=true
job='{{.Label "com.gitlab.gitlab-runner.job.id"}}'
is_dry_run=

say() { printf '%s %s\n' "$(date '+%F %T')" "$*"; }

# The root folder of a container is on the disk where the engine keeps its images.
free_gb() { df -Pk / | awk 'NR == 2 { print int($4 / 1024 / 1024) }'; }

# --- what is there, and what is used: one a line ---------------------------------------------------------------------

all() { # KIND
  case $1 in
    # Containers of jobs that have ended; those of a running job stop and start again between its stages.
    containers)
      running=$(docker ps --filter "$managed" --format "$job") || return
      ended=$(docker ps --all --filter "$managed" --filter status=exited --filter status=created --filter status=dead \
        --no-trunc --format "{{.ID}} $job") || return
      printf '%s\n' "$ended" | while read -r id number; do
        printf '%s\n' "$running" | grep -qxF "${number:-none}" || printf '%s\n' "$id"
      done ;;
    images) docker image ls --all --quiet --no-trunc ;;
    volumes)
      docker volume ls --quiet --filter "$managed" || return
      volumes=$(docker volume ls --quiet) || return
      printf '%s\n' "$volumes" | grep -E '^runner-.+-cache-[0-9a-f]{32}(-protected)?$' || true ;;
  esac
}

used() { # KIND
  case $1 in
    containers) ;;
    images) of_containers '{{.Image}}' ;;
    volumes) of_containers '{{range .Mounts}}{{if eq .Type "volume"}}{{println .Name}}{{end}}{{end}}' ;;
  esac
}

of_containers() { # FORMAT
  ids=$(docker ps --all --quiet --no-trunc) || return
  for id in $ids; do
    docker container inspect --format "$1" "$id" 2>/dev/null || true # it may be gone by now
  done
}

kept() { # KIND
  case $1 in
    containers) docker ps --all --quiet --no-trunc --filter label=keep ;;
    images) docker image ls --all --quiet --no-trunc --filter label=keep ;;
    volumes) docker volume ls --quiet --filter label=keep ;;
  esac
}

# Remembers when each was last used: the time of a file of its name. Fails where Docker does not tell all of it.
look() {
  for kind in containers images volumes; do
    mkdir -p "$state/$kind"
    all "$kind" >"$state/all" || return
    # With an empty line, since an empty list of patterns is every line to some programs.
    { echo && used "$kind" && kept "$kind"; } >"$state/$kind.used" || return
    while read -r name; do
      [ -z "$name" ] || [ -e "$state/$kind/$name" ] || : >"$state/$kind/$name"
    done <"$state/all"
    for file in "$state/$kind"/*; do
      name=${file##*/}
      if ! grep -qxF "$name" "$state/all"; then rm -f "$file"
      elif grep -qxF "$name" "$state/$kind.used"; then touch "$file"; fi
    done
  done
}

# --- removing --------------------------------------------------------------------------------------------------------

minutes_since() { # KIND NAME
  echo $((($(date +%s) - $(stat -c %Y "$state/$1/$2")) / 60))
}

unused() { # KIND MINUTES: the longest unused first
  # Names of files are ids, and names of volumes, which have no spaces.
  # shellcheck disable=SC2010,SC2012
  ls -tr "$state/$1" | grep -vxF -f "$state/$1.used" | while read -r name; do
    [ "$(minutes_since "$1" "$name")" -lt "$2" ] || printf '%s\n' "$name"
  done
}

remove() { # KIND NAME
  tags=
  [ "$1" != images ] || tags=$(docker image inspect --format '{{range .RepoTags}}{{.}} {{end}}' "$2" 2>/dev/null) || return 0
  what="${1%s} ${tags:-$2}, unused for $(($(minutes_since "$1" "$2") / 1440)) days"
  if [ -n "$is_dry_run" ]; then
    echo "would remove $what"
    return
  fi
  # An image is removed by its names; with several, its id alone would have to be forced.
  # shellcheck disable=SC2086
  case $1 in
    containers) docker rm --volumes "$2" ;;
    images) docker image rm ${tags:-$2} ;;
    volumes) docker volume rm "$2" ;;
  esac >/dev/null 2>"$state/refusal" || {
    # Another image is built upon it, or it has come into use.
    say "left $what: $(head -n 1 "$state/refusal")"
    return 0
  }
  rm -f "$state/$1/$2"
  say "removed $what"
}

build_cache() { # MINUTES
  if [ -n "$is_dry_run" ]; then echo "would remove build cache unused for $1 minutes"
  else docker builder prune --force --filter "until=$1m" | grep '^Total' || true; fi
}

by_age() {
  minutes=$((KEEP_DAYS * 24 * 60))
  for kind in containers images volumes; do
    unused "$kind" "$minutes" | while read -r name; do remove "$kind" "$name"; done
  done
  build_cache "$minutes"
}

# A dry run cannot know how much each would free.
show_need() {
  echo 'and then, in this order, until that is free:'
  build_cache "$KEEP_MINUTES"
  for kind in containers images volumes; do
    unused "$kind" "$KEEP_MINUTES" | while read -r name; do
      [ "$(minutes_since "$kind" "$name")" -ge $((KEEP_DAYS * 1440)) ] || remove "$kind" "$name"
    done
  done
}

is_full() { [ "$(free_gb)" -lt "$FREE_GB" ]; }

by_need() {
  is_full || return 0
  say "only $(free_gb) GB free; $FREE_GB are wanted"
  if [ -n "$is_dry_run" ]; then
    show_need
    return
  fi
  # Containers first, since they hold images and volumes; the build cache before what may be pulled again.
  unused containers "$KEEP_MINUTES" | while read -r name; do remove containers "$name"; done
  for minutes in $((24 * 60)) "$KEEP_MINUTES"; do
    if is_full; then build_cache "$minutes"; fi
  done
  for kind in images volumes; do
    unused "$kind" "$KEEP_MINUTES" | while read -r name; do
      if is_full; then remove "$kind" "$name"; fi
    done
    # Layers that an image shared with the build cache are free only now.
    if is_full; then build_cache "$KEEP_MINUTES"; fi
  done
  if is_full; then say "still only $(free_gb) GB free, and nothing more may go"; else say "$(free_gb) GB free"; fi
}

case ${1:-} in
  now)
    [ "${2:-}" != --dry-run ] || is_dry_run=yes
    look
    by_age
    by_need ;;
  watch)
    trap 'exit 0' TERM INT
    minute=0
    while :; do
      # The engine may be restarting: the next minute will do.
      if look && [ $((minute % 1440)) = 5 ]; then by_age || true; fi
      if [ $((minute % 15)) = 5 ]; then by_need || true; fi
      minute=$((minute + 1))
      sleep 60 &
      wait $!
    done ;;
  *) sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
