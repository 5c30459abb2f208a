#!/bin/sh
# Like the official entrypoint: trusts a private certificate authority, then becomes gitlab-runner.
CA_CERTIFICATES_PATH=${CA_CERTIFICATES_PATH:-/etc/gitlab-runner/certs/ca.crt}

if [ -f "$CA_CERTIFICATES_PATH" ]; then
  echo "Updating CA certificates..."
  export NODE_EXTRA_CA_CERTS="$CA_CERTIFICATES_PATH"
fi
# As every Go program it reads the authorities in that folder, too.
if [ -f "${SSL_CERT_DIR:-}/ca.crt" ]; then
  export NODE_EXTRA_CA_CERTS="$SSL_CERT_DIR/ca.crt"
fi

exec gitlab-runner "$@"
