// Puts itself in the place of fetch: a GitLab that answers, and knows the token of a runner.
globalThis.fetch = async input =>
  String(input).endsWith('/runners/verify')
    ? Response.json({ id: 42, token: '', token_expires_at: null })
    : Response.json({ message: '401 Unauthorized' }, { status: 401 });
