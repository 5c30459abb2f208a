import type { Answers } from '../../ask/questions.ts';
import {
  type Builder,
  type BuilderPlan,
  type ConfigEntry,
  clientCertificateMount,
  clientCertificateVolume,
  type Names,
  onNetwork,
  type Variable,
} from '../builder.ts';
import { engineImage } from '../engine.ts';
import { inPod } from '../pods.ts';

/** Where the client finds the engine, and how the two know each other: one set, or they never meet. */
const variables: readonly Variable[] = [
  {
    name: 'DOCKER_HOST',
    value: 'tcp://docker:2376',
    why: 'the engine in the container docker, by TLS; these four belong together',
  },
  { name: 'DOCKER_TLS_CERTDIR', value: '/certs' },
  { name: 'DOCKER_CERT_PATH', value: '/certs/client' },
  { name: 'DOCKER_TLS_VERIFY', value: '1' },
];

/** A Docker Engine in a privileged container, beside each job or beside the runner. */
export const dind: Builder = (answers, names) =>
  answers.executor === 'docker' && answers.dindCache === 'volume' ? oneForAll(names) : besideEachJob(answers);

function besideEachJob({ executor, platforms, mirror, insecureRegistry }: Answers): BuilderPlan {
  return {
    volumes: ['/certs/client'],
    volumesWhy: "A volume that a job shares with its engine, which puts the client's certificate there.",
    ...(executor === 'kubernetes' ? inPod.dind : { config: onlyEnginePrivileged }),
    pipeline: {
      program: 'docker',
      before: 'dind',
      services: [
        {
          image: engineImage,
          alias: 'docker',
          options: engineOptions({
            platforms,
            mirror: mirror && executor === 'docker',
            insecureRegistry,
          }),
        },
      ],
      variables,
    },
    compose: { volumes: [] },
  };
}

const onlyEnginePrivileged: readonly ConfigEntry[] = [
  {
    key: 'services_privileged',
    value: true,
    why: ['The engine needs it; the job itself stays without.'],
  },
  {
    key: 'allowed_privileged_services',
    value: [engineImage],
    why: ['Only this image may be such a service.'],
  },
];

function oneForAll(names: Names): BuilderPlan {
  return {
    volumes: [clientCertificateMount(names)],
    volumesWhy: 'The certificate by which jobs show themselves to the engine of docker-compose.yml.',
    config: [onNetwork(names, 'the engine')],
    pipeline: {
      program: 'docker',
      before: 'dind',
      services: [],
      variables,
    },
    compose: {
      service: 'docker',
      volumes: [
        { key: 'docker-data', why: 'Images and layers, kept between jobs.' },
        { key: 'docker-certs', why: 'Keys of the authority and of the engine; jobs never see them.' },
        clientCertificateVolume(names),
      ],
    },
  };
}

/** Options of dockerd, beside those that the image gives it. */
function engineOptions({
  platforms,
  mirror,
  insecureRegistry,
}: Pick<Answers, 'platforms' | 'mirror' | 'insecureRegistry'>): string[] {
  return [
    // An image of several platforms needs containerd's image store; the default since Engine 29.
    ...(platforms.length > 0 ? ['--feature=containerd-snapshotter=true'] : []),
    ...(mirror ? ['--registry-mirror=http://mirror:5000'] : []),
    ...(insecureRegistry === undefined ? [] : [`--insecure-registry=${insecureRegistry}`]),
  ];
}
