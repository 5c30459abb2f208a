#!/bin/sh
# Writes down when tokens expire, for node-exporter to serve: token-metrics.sh FILE
# It reads RUNNER_TOKEN_EXPIRES and its like from the environment; `make register` writes them into .env. A token that
# never expires has none, and no line.
set -eu

awk '
  # Seconds since 1970 of 2026-11-01T10:00:00.000Z, or with an offset such as +02:00 in the place of Z.
  function seconds(time,   y, m, d, days, offset) {
    y = substr(time, 1, 4) + 0; m = substr(time, 6, 2) + 0; d = substr(time, 9, 2) + 0
    if (m < 3) { y--; m += 12 }
    days = 365 * y + int(y / 4) - int(y / 100) + int(y / 400) + int((153 * m - 457) / 5) + d - 719469
    offset = 0
    if (match(time, /[+-][0-9][0-9]:[0-9][0-9]$/)) {
      offset = substr(time, RSTART + 1, 2) * 3600 + substr(time, RSTART + 4, 2) * 60
      if (substr(time, RSTART, 1) == "-") offset = -offset
    }
    return days * 86400 + substr(time, 12, 2) * 3600 + substr(time, 15, 2) * 60 + substr(time, 18, 2) - offset
  }
  BEGIN {
    print "# HELP gitlab_runner_token_expires_timestamp_seconds When the token in that variable of .env expires."
    print "# TYPE gitlab_runner_token_expires_timestamp_seconds gauge"
    for (name in ENVIRON) {
      if (name !~ /^RUNNER_TOKEN([A-Z0-9_]*)_EXPIRES$/ || ENVIRON[name] !~ /^2[0-9][0-9][0-9]-/) continue
      token = name; sub(/_EXPIRES$/, "", token)
      printf "gitlab_runner_token_expires_timestamp_seconds{token=\"%s\"} %.0f\n", token, seconds(ENVIRON[name])
    }
  }
' </dev/null >"$1.new"
# In one step, and by another name until then: node-exporter reads only *.prom.
mv "$1.new" "$1"
