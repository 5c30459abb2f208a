/** Whether the Docker client of the job image and the engine have an API version in common. */
function checkClient({ seen, image }: Inside, note: Note, refused: { takes: string; ways: string }): void {
  const check = 'docker client';
  const refusal = seen('refusal');
  const tooOld = /client version (\S+) is too old/i.exec(refusal)?.[1];
  if (tooOld) {
    note(
      'failed',
      check,
      `${image} speaks API ${tooOld}; ${refused.takes}, so every docker command of a job fails.`,
      `One of: a newer image, such as docker:cli, in scripts/settings.ts (then: make apply) and .gitlab-ci.yml;\n${refused.ways}`,
    );
  } else if (/client version (\S+) is too new/i.test(refusal)) {
    note(
      'failed',
      check,
      `${image} is too new: ${refusal}`,
      'Upgrade Docker Engine, or name an older image, such as docker:stable.',
    );
  } else if (/docker.*not found/i.test(refusal)) {
    noteNoClient(image, note);
  } else if (refusal !== '' || seen('client') === '') {
    note('failed', check, ...unreachable(refusal || 'docker printed nothing'));
  } else {
    note('ok', check, `${image} speaks API ${seen('client')} with ${engineName}`);
  }
}

function noteNoClient(image: string, note: Note): void {
  note(
    'failed',
    'docker client',
    `there is no docker command in ${image}.`,
    'Name an image that has one, such as docker:cli, in scripts/settings.ts; then: make apply',
  );
}
