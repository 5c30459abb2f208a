#!/bin/sh
# BusyBox's wget, which the official image has, as far as a health check needs it:  wget -S ... URL
for url; do :; done
exec node -e 'fetch(process.argv[1], { signal: AbortSignal.timeout(5000) }).then(
  ({ status, statusText }) => {
    console.error(`  HTTP/1.1 ${status} ${statusText}`);
    process.exitCode = status < 400 ? 0 : 1;
  },
  () => { process.exitCode = 1; },
)' "$url"
