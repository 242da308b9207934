import { absentPlugin, errorMessage, type Logger } from '@gantry/sdk';

const pauseMs = 2000;

/**
 * Mounts that could not be given back because their plugin was not there: given back when it is. What stays open when
 * the daemon ends is in the ledger.
 */
export class LateReturns {
  private readonly open = new Set<string>();

  constructor(
    private readonly unmount: (volume: string, mountId: string) => Promise<void>,
    private readonly log: Logger,
  ) {}

  /** @param failure why it could not be given back; only the absence of a plugin is a reason to try again */
  add(volume: string, mountId: string, failure: unknown): void {
    if (absentPlugin(failure) === undefined || this.open.has(mountId)) return;
    this.open.add(mountId);
    void this.retry(volume, mountId);
  }

  /** It is mounted anew. */
  forget(mountId: string): void {
    this.open.delete(mountId);
  }

  private async retry(volume: string, mountId: string): Promise<void> {
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, pauseMs).unref());
      if (!this.open.has(mountId)) return;
      try {
        await this.unmount(volume, mountId);
        this.log.info('gave back a mount after its plugin had come back', { volume, mountId });
        this.open.delete(mountId);
        return;
      } catch (error) {
        if (absentPlugin(error) !== undefined) continue;
        this.log.warn('cannot give back a mount', { volume, mountId, error: errorMessage(error) });
        this.open.delete(mountId);
        return;
      }
    }
  }
}
