import type { BuilderName } from '../ask/questions.ts';
import type { Builder } from './builder.ts';
import { buildah } from './builders/buildah.ts';
import { buildkit } from './builders/buildkit.ts';
import { dind } from './builders/dind.ts';
import { socket } from './builders/socket.ts';

/** From the name of a way to build images to what it asks of the repository. */
export const planOfBuilder: { readonly [Name in BuilderName]: Builder } = {
  socket,
  dind,
  buildkit,
  buildah,
};
