import type { Answers } from '../ask/questions.ts';
import { fromFork, onTheNetwork, type Threat } from './threats.ts';

type Developer = Pick<Threat, 'can' | 'against'>;

/** What somebody who can run a job in the cluster can do by the builder. */
const developers: { readonly [Name in Answers['builder']]: Developer } = {
  // Refused, since pods have none.
  socket: { can: 'whatever root of a node can', against: 'nothing stops it' },
  dind: {
    can: 'have their engine start a privileged container, so they are root on the node that their pod is on: they read its Secrets and its pods',
    against:
      'the job itself has no privileges, and one image alone may be a service; against attackers, nodes that run nothing else (`--node-selector`)',
  },
  buildkit: {
    can: 'run what they like in their own pod, as its root by any `image:` that is so; a fault of the kernel would lead from there to the node, the more as the seccomp and AppArmor profiles are open',
    against:
      "no privileges, nothing that is shared, and BuildKit's own image is an ordinary user; keep nodes current, or give jobs nodes that run nothing else (`--node-selector`)",
  },
  buildah: {
    can: 'run what they like in their own pod, as its root; a fault of the kernel would lead from there to the node, the more as the seccomp and AppArmor profiles are open',
    against:
      'no privileges, no daemon, nothing that is shared; keep nodes current, or give jobs nodes that run nothing else (`--node-selector`)',
  },
};

/** Who could do what with a runner in a cluster, and what is done about it. */
export function planClusterThreats(answers: Answers): Threat[] {
  const { builder, hardening, namespace } = answers;
  const isStrict = hardening === 'strict';
  const { can, against } = developers[builder];
  return [
    fromFork(answers),
    {
      ...{ who: 'Developer who can push', builder, can },
      against: `${against}; jobs have no token for the API of the cluster${isStrict ? ', few capabilities, and named images only' : ''}`,
    },
    ...aroundThePod(builder),
    ...inTheNamespace(namespace, isStrict),
    onTheNetwork(answers),
    {
      who: `Somebody who may read Secrets, or start pods, in ${namespace}`,
      can: 'read the token of the runner',
      against: 'give those rights to nobody else: `kubectl auth can-i --list`',
    },
  ];
}

/**
 * What a pod reaches unless somebody forbids it. Of AWS:
 * https://docs.aws.amazon.com/eks/latest/best-practices/identity-and-access-management.html and
 * https://docs.aws.amazon.com/eks/latest/eksctl/security.html; of policies:
 * https://kubernetes.io/docs/concepts/services-networking/network-policies/
 */
function aroundThePod(builder: Answers['builder']): Threat[] {
  const isRoot = builder === 'dind' ? '; neither holds who is root on the node, as above' : '';
  return [
    {
      who: 'Any job',
      can: "reach every Service of the cluster, and the metadata of its node (169.254.169.254), where a cloud hands out the node's own rights",
      against: `nothing here. On AWS: IMDSv2 alone with hop limit 1, or \`disablePodIMDS\` of eksctl. A NetworkPolicy keeps jobs from Services and other pods where the network plugin of the cluster enforces it; from those metadata with some plugins, and from the node itself never${isRoot}`,
    },
  ];
}

function inTheNamespace(namespace: string, isStrict: boolean): Threat[] {
  return [
    {
      who: 'Another job at the same time',
      can: 'reach the ports that the other opens, by the address of its pod',
      against:
        'a NetworkPolicy for the namespace, where the network plugin of the cluster enforces them; one job at a time (`concurrent`)',
    },
    {
      who: 'A job that runs away',
      can: 'take the memory, CPUs and disk of its node',
      against: isStrict
        ? 'limits of memory, CPUs and disk; the timeout of jobs; a ResourceQuota for the namespace'
        : 'the timeout of jobs; limits (`--hardening strict`), or a LimitRange for the namespace',
    },
    {
      who: 'Whoever breaks into the runner',
      can: `start pods in the namespace ${namespace}, privileged ones too, which is root on a node; read every Secret there, its token included`,
      against:
        'its account has no rights in other namespaces; nodes that run nothing else, and nothing else in that namespace',
    },
  ];
}
