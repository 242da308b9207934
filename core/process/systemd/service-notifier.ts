import { errorMessage, type Logger } from '@gantry/sdk';

/** What the service manager wants from us. @see sd_notify(3), sd_watchdog_enabled(3) */
export interface NotifyEnvironment {
  /** Where messages go; undefined without a service manager that listens. */
  readonly socket?: string;
  /** It takes us for dead after this time without a ping; undefined without a watchdog. */
  readonly watchdogMs?: number;
}

/**
 * Takes the variables out of the environment: programs that we start must not speak in our name. runc, for one, would
 * hand the socket on to containers.
 */
export function takeNotifyEnvironment(env: NodeJS.ProcessEnv = process.env, pid = process.pid): NotifyEnvironment {
  const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: usec, WATCHDOG_PID: watched } = env;
  delete env.NOTIFY_SOCKET;
  delete env.WATCHDOG_USEC;
  delete env.WATCHDOG_PID;
  const isOurs = watched === undefined || Number(watched) === pid;
  const watchdogMs = isOurs && Number(usec) > 0 ? Number(usec) / 1000 : undefined;
  return { socket: socket || undefined, watchdogMs };
}

/** How far ahead a long start or stop asks for more time, and how often. */
const extension = { aheadMs: 30_000, everyMs: 10_000 } as const;

/** Tells the service manager how we are. Without one, nothing happens; a failure to tell is no failure of ours. */
export class ServiceNotifier {
  private watchdog: NodeJS.Timeout | undefined;
  private extending: NodeJS.Timeout | undefined;

  constructor(
    private readonly environment: NotifyEnvironment,
    private readonly log: Logger,
    private readonly send: (address: string, message: string) => void = sendLazily,
  ) {}

  /** From here on the event loop shows by its turns that it lives; one that is stuck is not heard of. */
  watch(): void {
    const { socket, watchdogMs } = this.environment;
    if (socket === undefined || watchdogMs === undefined) return;
    this.tell('WATCHDOG=1');
    // Twice within the time is what systemd advises; three times forgives one late turn.
    this.watchdog ??= setInterval(() => this.tell('WATCHDOG=1'), watchdogMs / 3).unref();
  }

  /** The start or the stop goes on, and takes longer than the unit may allow; ends with the next state. */
  working(status: string): void {
    this.tell(`STATUS=${status}`);
    if (this.environment.socket === undefined) return;
    this.extending ??= setInterval(
      () => this.tell(`EXTEND_TIMEOUT_USEC=${extension.aheadMs * 1000}`),
      extension.everyMs,
    ).unref();
  }

  ready(status: string): void {
    this.settle();
    this.tell(`READY=1\nSTATUS=${status}`);
  }

  /** A reload begins; `ready` ends it. @see systemd.service(5), Type=notify-reload */
  reloading(): void {
    this.tell(`RELOADING=1\nMONOTONIC_USEC=${process.hrtime.bigint() / 1000n}\nSTATUS=Reading the configuration`);
  }

  stopping(status: string): void {
    this.settle();
    this.tell('STOPPING=1');
    this.working(status);
  }

  close(): void {
    this.settle();
    clearInterval(this.watchdog);
    this.watchdog = undefined;
  }

  private settle(): void {
    clearInterval(this.extending);
    this.extending = undefined;
  }

  private tell(message: string): void {
    const { socket } = this.environment;
    if (socket === undefined) return;
    try {
      this.send(socket, message);
    } catch (error) {
      this.log.debug('the service manager could not be told', { message, error: errorMessage(error) });
    }
  }
}

/** Loaded by those who run under a service manager. */
function sendLazily(address: string, message: string): void {
  const { sendUnixDatagram } =
    require('@gantry/sdk/linux/unix-datagram') as typeof import('@gantry/sdk/linux/unix-datagram');
  sendUnixDatagram(address, message);
}
