#!/bin/sh
exec node /opt/stand-in/gitlab-runner.ts "$@"
