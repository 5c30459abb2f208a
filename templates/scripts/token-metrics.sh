#!/bin/sh
# Writes down when the tokens in config.toml expire, for node-exporter to serve: once a minute, or
# once with a file to read:  token-metrics.sh CONFIG
set -eu

# The lines of Prometheus' text format. A token that never expires has the year 1, and no line; no token is printed.
metrics() {
  awk '
    function value(line) { sub(/^[^=]*=[ \t]*/, "", line); return line }
    # The text of a string of TOML, as a label value: both escape " and \ alike, and nothing else is needed.
    function label(text) {
      if (text ~ /^\047/) {
        text = substr(text, 2); sub(/\047.*/, "", text)
        gsub(/\\/, "\\\\", text); gsub(/"/, "\\\"", text)
        return text
      }
      match(text, /^"([^"\\]|\\.)*"/)
      text = substr(text, 2, RLENGTH - 2)
      gsub(/\\[btnfreuUx]/, "?", text)
      return text
    }
    # Seconds since 1970 of 2026-11-01T10:00:00Z, or with an offset such as +02:00 in the place of Z.
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
    function finish(   labels) {
      labels = "runner=\"" name "\",id=\"" id "\""
      if (expires != "" && expires !~ /^0001/ && !(labels in seen)) {
        seen[labels] = 1
        printf "gitlab_runner_token_expires_timestamp_seconds{%s} %.0f\n", labels, seconds(expires)
      }
      name = ""; id = ""; expires = ""
    }
    BEGIN {
      print "# HELP gitlab_runner_token_expires_timestamp_seconds When the token of a runner expires."
      print "# TYPE gitlab_runner_token_expires_timestamp_seconds gauge"
    }
    /^[ \t]*\[/ { if (inside) finish(); inside = ($0 ~ /^[ \t]*\[\[[ \t]*runners[ \t]*\]\]/); next }
    inside && /^[ \t]*name[ \t]*=/ { name = label(value($0)) }
    inside && /^[ \t]*id[ \t]*=/ { id = value($0) + 0 }
    inside && /^[ \t]*token_expires_at[ \t]*=/ { expires = value($0); sub(/[ \t]*(#.*)?$/, "", expires) }
    END { if (inside) finish() }
  ' "$1"
}

if [ $# = 1 ]; then
  metrics "$1"
  exit
fi
trap 'exit 0' TERM INT
while :; do
  # In one step, and by another name until then: node-exporter reads only *.prom.
  if metrics /etc/gitlab-runner/config.toml >/token-metrics/.new; then mv /token-metrics/.new /token-metrics/tokens.prom; fi
  sleep 60 &
  wait $!
done
