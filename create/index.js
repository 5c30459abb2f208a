#!/usr/bin/env node
import 'generator-gitlab-runner-docker/command';
