import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errorMessage, systemError } from '@gantry/sdk';
import { runProgram } from '@gantry/sdk/process';
import { defaultProfile } from './default-profile';

export const defaultProfileName = 'docker-default';
export const unconfined = 'unconfined';
const loadTimeoutMs = 30_000;

/** Where the kernel, its policy and the programs of AppArmor are. */
export interface AppArmorPlaces {
  /** Says `Y` when the kernel enforces profiles. */
  readonly enabled: string;
  /** Folder of the kernel's interface, with `profiles` in it. */
  readonly kernel: string;
  /** Folder of the machine's policy, with `abi`, `tunables` and `abstractions`. */
  readonly policy: string;
  /** Absolute path of the compiler. */
  readonly parser: string;
  /** Files that say which profile this process has; the first that can be read counts. */
  readonly ownProfile: readonly string[];
}

export const systemPlaces: AppArmorPlaces = {
  enabled: '/sys/module/apparmor/parameters/enabled',
  kernel: '/sys/kernel/security/apparmor',
  policy: '/etc/apparmor.d',
  parser: '/sbin/apparmor_parser',
  ownProfile: ['/proc/self/attr/apparmor/current', '/proc/self/attr/current'],
};

/** The default profile of containers: made, loaded into the kernel and, when somebody has unloaded it, loaded again. */
export class AppArmor {
  private loading: Promise<void> | undefined;

  private constructor(
    private readonly places: AppArmorPlaces,
    /** Whether there is a compiler: without one containers have the profiles they name and no other, as with dockerd. */
    readonly hasParser: boolean,
  ) {}

  /** @returns undefined  this kernel has no AppArmor, or has it switched off */
  static async lookUp(places: AppArmorPlaces = systemPlaces): Promise<AppArmor | undefined> {
    const enabled = await readText(places.enabled);
    if (!enabled?.startsWith('Y') || !(await exists(places.kernel))) return undefined;
    return new AppArmor(places, await exists(places.parser));
  }

  /**
   * Compiles the default profile and puts it in the place of what the kernel has under its name.
   *
   * @throws system  the compiler or the kernel refused it, in dockerd's words
   */
  loadDefault(): Promise<void> {
    this.loading ??= this.load().finally(() => {
      this.loading = undefined;
    });
    return this.loading;
  }

  /** Makes sure that the kernel has the default profile: packages that are upgraded may unload it. @throws system */
  async ensureDefault(): Promise<void> {
    await this.loading?.catch(() => {});
    if (!(await this.isLoaded(defaultProfileName))) await this.loadDefault();
  }

  private async isLoaded(name: string): Promise<boolean> {
    try {
      const profiles = await readFile(join(this.places.kernel, 'profiles'), 'utf8');
      return profiles.split('\n').some((line) => line.startsWith(`${name} `));
    } catch (error) {
      throw systemError(`Could not check if ${name} AppArmor profile was loaded: ${errorMessage(error)}`, error);
    }
  }

  private async load(): Promise<void> {
    try {
      await runProgram(this.places.parser, ['-Kr'], AbortSignal.timeout(loadTimeoutMs), {
        input: await this.makeDefault(),
      });
    } catch (error) {
      throw systemError(
        `AppArmor enabled on system but the ${defaultProfileName} profile could not be loaded: ${errorMessage(error)}`,
        error,
      );
    }
  }

  private async makeDefault(): Promise<string> {
    const has = (name: string) => exists(join(this.places.policy, name));
    const [abi3, tunables, baseAbstraction] = await Promise.all([
      has('abi/3.0'),
      has('tunables/global'),
      has('abstractions/base'),
    ]);
    const daemonProfile = await this.ownProfile();
    return defaultProfile({ name: defaultProfileName, daemonProfile, has: { abi3, tunables, baseAbstraction } });
  }

  /** `name (enforce)` or `unconfined`. */
  private async ownProfile(): Promise<string> {
    for (const file of this.places.ownProfile) {
      const name = (await readText(file))?.split(/[ \n\0]/)[0];
      if (name) return name;
    }
    return unconfined;
  }
}

async function readText(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(() => undefined);
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
