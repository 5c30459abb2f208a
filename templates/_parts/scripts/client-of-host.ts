<%- include('/_parts/scripts/client-probe.ts') -%>

/** @param seen what the probe found */
export function checkInside(inside: Inside, note: Note): void {
  const { engine } = inside;
  checkClient(inside, note, {
    takes: `this engine (${engine.version}) takes ${engine.minApiVersion} and newer`,
    ways:
      'Docker Engine 29.3 or later, which takes 1.40 again;\n' +
      '"min-api-version": "1.40" in /etc/docker/daemon.json (Engine 29), then: sudo systemctl restart docker',
  });
}
