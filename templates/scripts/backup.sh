#!/bin/sh
# Keeps what cannot be made anew, config/ with the runner's token and .env, encrypted with age
# (https://age-encryption.org); nothing is written in the clear on the way.
#
#   make backup    AGE_RECIPIENT in .env is the public key, age1...
#   make restore FROM=backups/... KEY=~/key.txt    the secret key, which never comes into this folder
set -eu
cd "$(dirname "$0")/.."
compose=${COMPOSE:-docker compose}

fail() {
  printf '%s: %s\n  %s\n' "$0" "$1" "$2" >&2
  exit 1
}
command -v age >/dev/null || fail 'age is not installed.' 'Install it, for example: sudo apt-get install age'

# A short-lived container of the runner's image, as root: config/ belongs to root.
in_container() {
  $compose run --rm --no-deps -T --volume "$PWD:/srv" --workdir /srv --entrypoint sh runner -euc "$1"
}

backup() {
  recipient=${AGE_RECIPIENT:-$(sed -n 's/^AGE_RECIPIENT=//p' .env)}
  [ -n "$recipient" ] ||
    fail 'There is no public key to encrypt with.' \
      'Make a pair elsewhere (age-keygen -o ~/runner-key.txt), and write AGE_RECIPIENT=age1... in .env.'
  file=backups/$(date +%Y-%m-%d-%H%M%S).tar.age
  (umask 077 && mkdir -p backups)
  # A pipe gives the exit code of its last program only: tar's comes by another way.
  status=$({ { in_container 'tar -cf - config .env' || echo failed >&3; } | age --encrypt --recipient "$recipient" --output "$file.new" || echo failed; } 3>&1)
  if [ -n "$status" ]; then
    rm -f "$file.new"
    fail 'No backup was made, for the reason above.' 'Mend that, and run: make backup'
  fi
  mv "$file.new" "$file"
  echo "Made $file. Keep it, and its key, on another machine."
}

restore() { # BACKUP KEY
  # Not every shell has replaced the ~ of KEY=~/...
  case ${2:-} in [~]/*) set -- "$1" "$HOME/${2#??}" ;; esac
  if [ ! -f "${1:-}" ] || [ ! -f "${2:-}" ]; then
    fail 'Name the backup, and the file with its secret key.' 'make restore FROM=backups/....tar.age KEY=~/runner-key.txt'
  fi
  case $(cd "$(dirname "$2")" && pwd -P)/ in
    "$(pwd -P)"/*) fail 'The secret key is in this folder, beside what it protects.' 'Move it elsewhere first.' ;;
  esac
  # All of it is read and looked at before anything here changes.
  status=$({ { age --decrypt --identity "$2" "$1" || echo failed >&3; } | in_container '
    umask 077
    rm -rf config/.restore
    mkdir config/.restore
    tar -xf - -C config/.restore
    grep -q "^ *\[\[runners\]\]" config/.restore/config/config.toml' >&2 || echo failed; } 3>&1)
  if [ -n "$status" ]; then
    in_container 'rm -rf config/.restore'
    fail 'Nothing was restored, for the reason above.' 'Is it the right key, and a backup of this repository?'
  fi
  # shellcheck disable=SC2016 # the container's shell expands it
  in_container '
    if [ -f config/config.toml ]; then
      cp -p config/config.toml config/config.toml.before-restore
      echo "The config.toml of before is config/config.toml.before-restore now."
    fi
    mv -f config/.restore/config/config.toml config/config.toml
    rm -f config/.restore/config/template*.toml
    cp -a config/.restore/config/. config/
    if [ -e .env ]; then echo "Your .env stays as it is."
    else
      cp config/.restore/.env .env
      chown "$(stat -c %u:%g docker-compose.yml)" .env
    fi
    rm -rf config/.restore'
  echo 'Restored. Now: make doctor; then: make up'
}

"$@"
