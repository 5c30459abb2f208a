/** The metrics that an expression of PromQL asks for. */
export function metricsIn(expression: string): string[] {
  const bare = expression
    .replace(/"[^"]*"/g, '')
    .replace(/\{[^}]*\}|\[[^\]]*\]/g, '')
    .replace(/\b(by|without|on|ignoring)\s*\([^)]*\)/g, '');
  return [...bare.matchAll(/\b([a-zA-Z_:][\w:]*)\b(?!\s*\()/g)]
    .map(([, name]) => name!)
    .filter(name => !['and', 'or', 'unless', 'by', 'bool'].includes(name))
    .map(name => name.replace(/_(bucket|sum|count)$/, ''));
}

/** What a runner of one failed job and some that went well serves; counters grow with each call. */
export function runnerMetrics(calls: number): string {
  const runner = 'runner="t0k3n1234",system_id="s_0123456789ab"';
  const histogram = (name: string) =>
    [30, 300, 3600]
      .map((le, at) => `${name}_bucket{${runner},le="${le}"} ${calls * (at + 1)}`)
      .concat(
        `${name}_bucket{${runner},le="+Inf"} ${calls * 3}`,
        `${name}_sum{${runner}} ${calls * 100}`,
        `${name}_count{${runner}} ${calls * 3}`,
      );
  return `${[
    'gitlab_runner_version_info{name="gitlab-runner",version="19.3.0"} 1',
    'gitlab_runner_concurrent 2',
    `gitlab_runner_jobs{${runner},state="running",stage="build_script",executor_stage="docker_run"} 1`,
    `gitlab_runner_jobs_total{${runner}} ${calls}`,
    `gitlab_runner_failed_jobs_total{runner="t0k3n1234",failure_reason="runner_system_failure"} ${calls}`,
    `gitlab_runner_api_request_statuses_total{${runner},endpoint="request_job",status="204"} ${calls}`,
    ...histogram('gitlab_runner_job_duration_seconds'),
    ...histogram('gitlab_runner_job_queue_duration_seconds'),
  ].join('\n')}\n`;
}
