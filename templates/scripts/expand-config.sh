#!/bin/sh
# GitLab Runner below 18.10 does not fill in the variables of config.toml. This does, in the container of the runner and
# at each start, so an edit of config/config.toml counts after: make up
#
# The result has the token, so it is kept in memory only: CONFIG_FILE is in a tmpfs of docker-compose.yml.
set -eu
umask 077

source=${CONFIG_SOURCE:-/etc/gitlab-runner}
awk '
  /^[ \t]*(url|token)[ \t]*=/ {
    line = ""
    while (match($0, /[$][{](GITLAB_URL|RUNNER_TOKEN[A-Z0-9_]*)[}]/)) {
      line = line substr($0, 1, RSTART - 1) ENVIRON[substr($0, RSTART + 2, RLENGTH - 3)]
      $0 = substr($0, RSTART + RLENGTH)
    }
    $0 = line $0
  }
  { print }
' "$source/config.toml" >"$CONFIG_FILE"
if [ -e "$source/.runner_system_id" ]; then cp "$source/.runner_system_id" "${CONFIG_FILE%/*}/"; fi

# The entrypoint of the image; GitLab Runner itself reads CONFIG_FILE.
exec "${ENTRYPOINT:-/entrypoint}" "$@"
