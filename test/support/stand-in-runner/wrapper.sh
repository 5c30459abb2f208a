#!/bin/sh
# As every Go program it takes HTTP_PROXY and NO_PROXY from the environment.
export NODE_USE_ENV_PROXY=1
exec node /opt/stand-in/gitlab-runner.ts "$@"
