// docs/executors.md and its chart, of the figures of scenarios.ts.

import {
  type Assumptions,
  assumptions,
  autoscaler,
  enoughHosts,
  type Figures,
  figures,
  hosts,
  kubernetes,
  perJob,
  type Way,
} from './scenarios.ts';

const loads = [10, 100, 1000];
const chartLoads = [10, 20, 40, 70, 100, 150, 200, 300, 500, 1000];
/** What "as many hosts as it takes" keeps the waits of 95 % of the jobs below, in seconds. */
const enough = 60;

/** A time in words, to the precision that a reader needs. */
export function duration(seconds: number): string {
  if (seconds < 100) return `${Math.round(seconds)} s`;
  return seconds < 6000 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}

/** Whether so many jobs of a day were left at midnight that they would become more from day to day. */
const fallsBehind = ({ left, jobs }: Figures): boolean => left > jobs / 20;

function row(given: Assumptions, way: Way, load: number): string {
  const found = figures(given, way, load);
  const pool = found.instances > 0 ? `up to ${found.instances}` : '';
  const waits = fallsBehind(found)
    ? [`falls behind: ${found.left} of ${Math.round(found.jobs)} jobs left at midnight`, '', '']
    : [duration(found.half), duration(found.most), perJob(found).toFixed(3)];
  return `| ${[load, way.name, pool, ...waits.slice(0, 2), found.cost.toFixed(2), waits[2]].join(' | ')} |`;
}

const notes = `The day: pipelines come by chance, more of them by day than at night, with a lull at noon; all ways get the very same jobs. What the model leaves out: jobs that wait for other jobs, caches and layers that are or are not there (each
way is given one time to prepare a job), jobs that slow each other down on one host, quotas of a cloud, spot instances that are taken
away, network and disk on the bill, and the hours of whoever looks after it.

The rules, as [GitLab Runner's documentation](https://docs.gitlab.com/runner/configuration/advanced-configuration/) has them: a manager
looks for jobs every \`check_interval\`, has \`request_concurrency\` requests under way at most, asks again at once after it received a
job, and holds no more jobs than \`concurrent\` and \`limit\` say. docker-autoscaler looks every second whether \`idle_count\` and
\`scale_factor\` times the places in use, up to \`scale_factor_limit\`, are free beside the jobs that wait, and asks for instances up to
\`max_instances\`; one goes after \`max_use_count\` jobs, or \`idle_time\` without any. On Kubernetes the runner makes a pod for each job,
and the cluster's own autoscaler the nodes; a job goes to the oldest that has room.
`;

/** The page, as Markdown. */
export function page(given: Assumptions): string {
  const rows = loads.flatMap(load => {
    const fixed = [hosts(given, 1), hosts(given, given.hosts)];
    const fitting = enoughHosts(given, load, enough);
    const ways = [
      ...fixed,
      { ...fitting, name: `as many hosts as it takes: ${fitting.executor.managers.length}` },
    ];
    return [...ways, autoscaler(given), kubernetes(given)].map(way => row(given, way, load));
  });
  const table = Object.entries(assumptions).map(
    ([name, [, meaning]]) => `| \`--${name}\` | ${given[name as keyof Assumptions]} | ${meaning} |`,
  );
  return `# One host, several, docker-autoscaler or Kubernetes: waits and costs

Figures of a model and not of a measurement: \`npm run simulate\` runs working days of jobs through the rules of GitLab Runner
(\`test/bench/executors\`) and writes this page. The tests hold the model against queueing theory. **All prices and times below are
assumptions**, in no currency; put in your own: \`npm run simulate -- --price-host 0.25 --boot 45\` prints the page for those.

"Wait" is the time from the creation of a job to the first line of its script: half of the jobs, and 95 %, wait no longer. Jobs an
hour are those of the ten hours from 8 to 18, on average.

| jobs an hour | how | instances | wait of half | wait of 95 % | cost of a day | of a job |
|---|---|---|---|---|---|---|
${rows.join('\n')}

"As many hosts as it takes" are the fewest, two at least, with which 95 % of the jobs wait for no longer than ${enough} s.

![Wait of 95 % of the jobs by jobs an hour, one line for each way](executors.svg)

A line ends where jobs of a day are left at midnight, more than a twentieth of them: from there on the wait grows from day to day.

## Assumptions

| option | value | what it is |
|---|---|---|
${table.join('\n')}

${notes}`;
}

type Point = readonly [load: number, seconds: number];
const frame = { left: 64, top: 24, width: 560, height: 300 };
const [leastWait, mostWait] = [1, 100_000];

const x = (load: number): number =>
  frame.left +
  (Math.log(load / chartLoads[0]!) / Math.log(chartLoads.at(-1)! / chartLoads[0]!)) * frame.width;
const y = (seconds: number): number => {
  const inside = Math.min(Math.max(seconds, leastWait), mostWait);
  return (
    frame.top + frame.height - (Math.log(inside / leastWait) / Math.log(mostWait / leastWait)) * frame.height
  );
};

function points(given: Assumptions, way: Way): Point[] {
  const found: Point[] = [];
  for (const load of chartLoads) {
    const one = figures(given, way, load);
    if (fallsBehind(one)) break;
    found.push([load, one.most]);
  }
  return found;
}

/** Lines differ by dashes and marks too, for whoever does not tell the colours apart. */
const dashes = ['', '8 4', '2 4', '10 4 2 4'];

function line(given: Assumptions, way: Way, at: number): string {
  const places = points(given, way).map(([load, wait]) => [x(load).toFixed(1), y(wait).toFixed(1)] as const);
  const marks = places.map(([cx, cy]) => `<circle cx="${cx}" cy="${cy}" r="3"/>`).join('');
  const top = frame.top + frame.height + 56 + 20 * Math.floor(at / 2);
  const left = frame.left + 280 * (at % 2);
  return `<g class="way way-${at}"><polyline points="${places.join(' ')}" stroke-dasharray="${dashes[at]}"/>${marks}
<line x1="${left}" y1="${top}" x2="${left + 36}" y2="${top}" stroke-dasharray="${dashes[at]}"/><circle cx="${left + 18}" cy="${top}" r="3"/>
<text x="${left + 44}" y="${top + 4}">${way.name}</text></g>`;
}

const style = `<style>
text { font: 12px system-ui, sans-serif; fill: #24292f; }
.grid { stroke: #d0d7de; }
.way { fill: none; stroke-width: 2; }
.way circle { stroke: none; }
.way text { stroke: none; }
.way-0 { stroke: #b35900; } .way-0 circle { fill: #b35900; }
.way-1 { stroke: #8250df; } .way-1 circle { fill: #8250df; }
.way-2 { stroke: #0969da; } .way-2 circle { fill: #0969da; }
.way-3 { stroke: #1a7f37; } .way-3 circle { fill: #1a7f37; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; }
.grid { stroke: #3d444d; }
.way-0 { stroke: #f0883e; } .way-0 circle { fill: #f0883e; }
.way-1 { stroke: #bc8cff; } .way-1 circle { fill: #bc8cff; }
.way-2 { stroke: #58a6ff; } .way-2 circle { fill: #58a6ff; }
.way-3 { stroke: #3fb950; } .way-3 circle { fill: #3fb950; }
}
</style>
`;

/** The chart of the wait of 95 % of the jobs, both axes logarithmic; readable on light and on dark. */
export function chart(given: Assumptions): string {
  const ways = [hosts(given, 1), hosts(given, given.hosts), autoscaler(given), kubernetes(given)];
  const { left, top, width, height } = frame;
  const across = [1, 10, 60, 600, 3600, 36_000].map(
    seconds =>
      `<line class="grid" x1="${left}" x2="${left + width}" y1="${y(seconds).toFixed(1)}" y2="${y(seconds).toFixed(1)}"/>` +
      `<text x="${left - 8}" y="${(y(seconds) + 4).toFixed(1)}" text-anchor="end">${duration(seconds)}</text>`,
  );
  const upward = [10, 30, 100, 300, 1000].map(
    load =>
      `<line class="grid" y1="${top}" y2="${top + height}" x1="${x(load).toFixed(1)}" x2="${x(load).toFixed(1)}"/>` +
      `<text x="${x(load).toFixed(1)}" y="${top + height + 18}" text-anchor="middle">${load}</text>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 660 424" role="img" aria-label="Wait of 95 % of the jobs by jobs an hour">
${style}<text x="${left}" y="14">wait of 95 % of the jobs, from creation to script</text>
${across.join('\n')}
${upward.join('\n')}
<text x="${left + width}" y="${top + height + 36}" text-anchor="end">jobs an hour, from 8 to 18</text>
${ways.map((way, at) => line(given, way, at)).join('\n')}
</svg>
`;
}
