/** What a job container finds of Docker, one `key=value` a line. */
export const probe = `
  docker version --format '{{.Client.APIVersion}}' >/tmp/client 2>/tmp/refusal
  echo "client=$(tail -n 1 /tmp/client)"
  echo "refusal=$(tail -n 1 /tmp/refusal)"`;
