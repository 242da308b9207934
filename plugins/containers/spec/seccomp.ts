import { invalidParameter } from '@gantry/sdk';
import type { SeccompProfile, SeccompRule } from './seccomp-profile';

/** The machine a profile is resolved for. */
export interface SeccompTarget {
  readonly capabilities: readonly string[];
  /** As in the profile: amd64, arm64. */
  readonly arch: string;
  /** `uname -r`. */
  readonly kernel: string;
  /** Further architectures of a profile that this kernel has no system calls of. */
  readonly missingArchitectures: readonly string[];
}

const nativeArch: Readonly<Record<string, string>> = { amd64: 'SCMP_ARCH_X86_64', arm64: 'SCMP_ARCH_AARCH64' };

/**
 * The OCI form of a profile: rules that do not apply are dropped.
 *
 * @throws invalid-parameter  the profile contradicts itself
 */
export function resolveSeccomp(profile: SeccompProfile, target: SeccompTarget): Record<string, unknown> {
  if (profile.architectures && profile.archMap)
    throw invalidParameter("both 'architectures' and 'archMap' are specified in the seccomp profile, use either");
  const entry = profile.archMap?.find(({ architecture }) => architecture === nativeArch[target.arch]);
  const architectures =
    profile.architectures ??
    (entry && [
      entry.architecture,
      // The kernel does not even load programs for them.
      ...(entry.subArchitectures ?? []).filter((name) => !target.missingArchitectures.includes(name)),
    ]);
  return {
    defaultAction: profile.defaultAction,
    ...(profile.defaultErrnoRet === undefined ? {} : { defaultErrnoRet: profile.defaultErrnoRet }),
    ...(architectures ? { architectures } : {}),
    ...(profile.flags ? { flags: profile.flags } : {}),
    ...(profile.listenerPath ? { listenerPath: profile.listenerPath } : {}),
    ...(profile.listenerMetadata ? { listenerMetadata: profile.listenerMetadata } : {}),
    syscalls: (profile.syscalls ?? []).filter((rule) => applies(rule, target)).map(toOci),
  };
}

/** @throws invalid-parameter  not a profile */
export function parseSeccompProfile(json: string): SeccompProfile {
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch (error) {
    throw invalidParameter(`Decoding seccomp profile failed: ${(error as Error).message}`, error);
  }
  if (typeof parsed !== 'object' || parsed === null || typeof (parsed as SeccompProfile).defaultAction !== 'string')
    throw invalidParameter('Decoding seccomp profile failed: defaultAction is missing');
  return parsed as SeccompProfile;
}

function toOci(rule: SeccompRule & { readonly name?: string }): Record<string, unknown> {
  if (rule.name && rule.names?.length)
    throw invalidParameter("both 'name' and 'names' are specified in a rule of the seccomp profile, use either");
  return {
    names: rule.name ? [rule.name] : rule.names,
    action: rule.action ?? 'SCMP_ACT_ALLOW',
    ...(rule.errnoRet === undefined ? {} : { errnoRet: rule.errnoRet }),
    ...(rule.args?.length ? { args: rule.args } : {}),
  };
}

function applies(rule: SeccompRule, target: SeccompTarget): boolean {
  const { includes, excludes } = rule;
  if (excludes?.arches?.includes(target.arch)) return false;
  if (excludes?.caps?.some((capability) => target.capabilities.includes(capability))) return false;
  if (excludes?.minKernel && kernelAtLeast(target.kernel, excludes.minKernel)) return false;
  if (includes?.arches && includes.arches.length > 0 && !includes.arches.includes(target.arch)) return false;
  if (includes?.caps?.some((capability) => !target.capabilities.includes(capability))) return false;
  if (includes?.minKernel && !kernelAtLeast(target.kernel, includes.minKernel)) return false;
  return true;
}

/** @param release `uname -r`. @param wanted `major.minor` */
export function kernelAtLeast(release: string, wanted: string): boolean {
  const [major = 0, minor = 0] = release.split(/[.-]/).map(Number);
  const [wantedMajor = 0, wantedMinor = 0] = wanted.split('.').map(Number);
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}
