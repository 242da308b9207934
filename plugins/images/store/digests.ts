import { createHash } from 'node:crypto';
import { invalidParameter } from '@gantry/sdk';

export function sha256(content: string | Buffer): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}

/** @throws invalid-parameter  not a sha256 digest */
export function assertSha256(digest: string): void {
  if (!/^sha256:[0-9a-f]{64}$/.test(digest)) throw invalidParameter(`invalid digest "${digest}"`);
}

/** Identities of the stacks that end in each layer. @see OCI image spec, config.md, "Layer ChainID" */
export function chainIds(diffIds: readonly string[]): string[] {
  const chain: string[] = [];
  for (const diffId of diffIds) {
    const parent = chain.at(-1);
    chain.push(parent === undefined ? diffId : sha256(`${parent} ${diffId}`));
  }
  return chain;
}
