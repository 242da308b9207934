import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errorMessage } from '@gantry/sdk';
import { type CdiSpec, type ContainerEdits, parseCdiSpec } from './cdi-spec';

/** Devices of this machine as its CDI files tell. */
export interface CdiDevices {
  /** By `vendor.com/class=name`: the edits of the file, then those of the device. */
  readonly edits: ReadonlyMap<string, readonly ContainerEdits[]>;
  /** Files that could not be used, and names given twice: why. */
  readonly problems: readonly string[];
}

/**
 * Reads the files anew, so that a device that was plugged in a moment ago is known.
 *
 * @param directories the later ones win over the earlier; a missing one is no error
 */
export async function readCdiDevices(directories: readonly string[]): Promise<CdiDevices> {
  const edits = new Map<string, readonly ContainerEdits[]>();
  const problems: string[] = [];
  for (const directory of directories) {
    const here = new Map<string, { path: string; edits: readonly ContainerEdits[] }>();
    const twice = new Set<string>();
    for (const [path, spec] of await readSpecs(directory, problems))
      for (const device of spec.devices) {
        const name = `${spec.kind}=${device.name}`;
        const other = here.get(name);
        if (other !== undefined) {
          problems.push(`conflicting device "${name}" (specs "${other.path}", "${path}")`);
          twice.add(name);
        }
        here.set(name, { path, edits: [spec.containerEdits, device.containerEdits] });
      }
    for (const [name, device] of here) if (!twice.has(name)) edits.set(name, device.edits);
    // Two files of one directory contradict each other: neither is believed.
    for (const name of twice) edits.delete(name);
  }
  return { edits, problems };
}

async function readSpecs(directory: string, problems: string[]): Promise<[string, CdiSpec][]> {
  const names = (await readdir(directory).catch(() => [])).filter((name) => /\.(json|ya?ml)$/.test(name)).sort();
  const specs: [string, CdiSpec][] = [];
  for (const name of names) {
    const path = join(directory, name);
    try {
      specs.push([path, parseCdiSpec(await readFile(path, 'utf8'), path)]);
    } catch (error) {
      problems.push(`${path}: ${errorMessage(error)}`);
    }
  }
  return specs;
}
