import type { HostConfig } from '../config/container-config';
import { splitSecurityOption } from '../create/security-options';
import { type AppArmor, defaultProfileName, unconfined } from './app-armor';

interface Confined {
  readonly hostConfig: Pick<HostConfig, 'SecurityOpt' | 'Privileged'>;
}

/** The AppArmor profile that the user names. */
export function askedProfile({ hostConfig }: Confined): string | undefined {
  return (hostConfig.SecurityOpt ?? []).map(splitSecurityOption).find(({ key }) => key === 'apparmor')?.value;
}

/** The profile a container's processes have, those of exec too; undefined where the kernel has no AppArmor. */
export function profileOf(record: Confined, appArmor: AppArmor | undefined): string | undefined {
  if (appArmor === undefined) return undefined;
  const asked = askedProfile(record) ?? (record.hostConfig.Privileged ? unconfined : defaultProfileName);
  return asked === defaultProfileName && !appArmor.hasParser ? undefined : asked;
}

/** As `profileOf`, and the default profile is there when this returns. @throws system  it cannot be loaded */
export async function readyProfile(record: Confined, appArmor: AppArmor | undefined): Promise<string | undefined> {
  const profile = profileOf(record, appArmor);
  if (profile === defaultProfileName) await appArmor?.ensureDefault();
  return profile;
}
