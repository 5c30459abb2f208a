import type { Builder } from './builder.ts';
import { buildah } from './builders/buildah.ts';
import { buildkit } from './builders/buildkit.ts';
import { dind } from './builders/dind.ts';
import { socket } from './builders/socket.ts';
import { socketProxy } from './builders/socket-proxy.ts';
import type { BuilderName } from './questions.ts';

/** From the name of a way to build images to what it asks of the repository. */
export const planOfBuilder: { readonly [Name in BuilderName]: Builder } = {
  socket,
  'socket-proxy': socketProxy,
  dind,
  buildkit,
  buildah,
};
