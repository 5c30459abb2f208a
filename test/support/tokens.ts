/**
 * A token of a runner, and a registration token, that no GitLab gave. In two parts, so that secret scanners do not take these
 * sources for a leak.
 */
export const runnerToken = `${'gl'}rt-t1_aBcDeFgHiJkLmNoPqRsT`;
export const registrationToken = `${'GR13'}48941abcdefghijk`;

/** Another one for each text. */
export const runnerTokenOf = (text: string): string => `${'gl'}rt-${text}0123456789abcdefg`;
