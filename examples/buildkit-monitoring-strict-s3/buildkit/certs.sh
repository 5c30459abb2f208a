#!/bin/sh
# Makes the certificates by which BuildKit and jobs know each other: BuildKit's own, and one for jobs. They are
# kept while they are valid for 90 more days. docker-compose.yml runs this before BuildKit starts.
set -eu

server=/certs/server # for BuildKit only
client=/certs/client # what jobs see
days=3650
enough=$((90 * 24 * 60 * 60))

# Is there a certificate with its key that the authority signed for this use, and does it last?
good() { # FOLDER OPTION...
  folder=$1
  shift
  [ -s "$folder/key.pem" ] &&
    openssl x509 -in "$folder/cert.pem" -noout -checkend "$enough" &&
    openssl x509 -in "$server/ca.pem" -noout -checkend "$enough" &&
    openssl verify -CAfile "$server/ca.pem" "$@" "$folder/cert.pem" &&
    [ "$(openssl x509 -in "$folder/cert.pem" -noout -pubkey)" = "$(openssl pkey -in "$folder/key.pem" -pubout)" ]
}

if good "$server" -purpose sslserver -verify_hostname buildkit >/dev/null 2>&1 &&
  good "$client" -purpose sslclient >/dev/null 2>&1 &&
  cmp -s "$server/ca.pem" "$client/ca.pem"; then
  echo 'The certificates are valid for 90 more days: kept.'
  exit 0
fi

umask 077
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT

issue() { # NAME SUBJECT EXTENSIONS OPTION...: NAME.key.pem and NAME.pem
  name=$1 subject=$2
  printf %b "$3" >"$temp/$name.ext"
  shift 3
  {
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$subject" \
      -keyout "$temp/$name.key.pem" -out "$temp/$name.csr" &&
      openssl x509 -req -sha256 -days "$days" -in "$temp/$name.csr" -extfile "$temp/$name.ext" \
        -set_serial "0x$(openssl rand -hex 16)" -out "$temp/$name.pem" "$@"
  } >"$temp/log" 2>&1 || { cat "$temp/log" >&2; exit 1; }
}

# The authority's key signs these two and is then gone: nobody can make a third.
by="-CA $temp/ca.pem -CAkey $temp/ca.key.pem"
issue ca 'BuildKit authority' 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\nsubjectKeyIdentifier=hash\n' \
  -signkey "$temp/ca.key.pem"
# shellcheck disable=SC2086
issue server buildkit 'extendedKeyUsage=serverAuth\nsubjectAltName=DNS:buildkit\n' $by
# shellcheck disable=SC2086
issue client job 'extendedKeyUsage=clientAuth\n' $by

# Each file comes whole or not at all; after an end in between, files do not fit together and are made anew.
put() { # FROM TO MODE OWNER
  cp "$temp/$1" "$2.new"
  chown "$4" "$2.new"
  chmod "$3" "$2.new"
  mv "$2.new" "$2"
}
put ca.pem "$server/ca.pem" 444 1000:1000
put server.pem "$server/cert.pem" 444 1000:1000
put server.key.pem "$server/key.pem" 400 1000:1000
put ca.pem "$client/ca.pem" 444 0:0
put client.pem "$client/cert.pem" 444 0:0
# Jobs may run as any user: their key is safe because only they mount this volume.
put client.key.pem "$client/key.pem" 444 0:0
chmod 755 "$server" "$client"
echo 'New certificates. A BuildKit that runs already must be restarted to show them: docker compose restart buildkit'
