import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errorMessage, type Logger, type LogInfo, type LogWriter, type MetricFamily } from '@gantry/sdk';
import { Spool } from './spool';
import { SpooledWriter } from './spooled-writer';

const FOLDER = 'log-spool';
const RECORD = 'container.json';
/** How long a removal waits for a driver that is being closed. */
const REMOVAL_MS = 1000;

/** What it takes to go on with the delivery of a container that has ended. */
interface LeftRecord {
  readonly type: string;
  readonly spoolBytes: number;
  readonly info: LogInfo;
}

/** Opens the driver of a container. @throws when its back end is away */
type OpenDriver = (type: string, info: LogInfo) => Promise<LogWriter>;

/** The spools of all containers: of those that run, and of those that ended while their back end was away. */
export class Deliveries {
  private readonly writers = new Map<string, SpooledWriter>();

  constructor(
    private readonly openDriver: OpenDriver,
    private readonly log: Logger,
  ) {}

  /**
   * The writer for a container that runs. What is left of its earlier runs goes first.
   *
   * @param mayBeAway it runs already: its back end may come later
   */
  async open(type: string, info: LogInfo, spoolBytes: number, mayBeAway: boolean): Promise<LogWriter> {
    if (spoolBytes === 0) return this.openDriver(type, info);
    await this.writers.get(info.containerId)?.closed();
    const inner = await this.openDriver(type, info).catch((error) => {
      if (!mayBeAway) throw error;
      this.logOf(info).warn('the log back end is away, output is kept for it', { error: errorMessage(error) });
      return undefined;
    });
    await this.writers.get(info.containerId)?.abandon();
    return this.writer(inner, { type, info, spoolBytes });
  }

  /** Forgets what is left for a container's back end. */
  async remove(info: LogInfo): Promise<void> {
    await this.writers.get(info.containerId)?.abandon(REMOVAL_MS);
    this.writers.delete(info.containerId);
    await rm(folderOf(info), { recursive: true, force: true });
  }

  /** Goes on with what an earlier daemon left. @param containers the folder with a folder for each container */
  async resume(containers: string): Promise<void> {
    for (const name of await readdir(containers).catch(() => [])) {
      const record = await readRecord(join(containers, name, FOLDER, RECORD));
      if (record !== undefined && !this.writers.has(record.info.containerId)) this.writer(undefined, record, true);
    }
  }

  metrics(): MetricFamily {
    const value = [...this.writers.values()].reduce((sum, { spooledBytes }) => sum + spooledBytes, 0);
    return {
      name: 'engine_log_spool_bytes',
      help: 'Bytes of output kept on disk for log back ends that are away',
      type: 'gauge',
      samples: [{ value }],
    };
  }

  /** Stops delivering; what is left stays where it is. */
  async close(): Promise<void> {
    await Promise.all([...this.writers.values()].map((writer) => writer.abandon()));
  }

  private writer(inner: LogWriter | undefined, record: LeftRecord, hasEnded = false): SpooledWriter {
    const { type, info, spoolBytes } = record;
    const { containerId } = info;
    const writer = new SpooledWriter(
      inner,
      {
        spool: Spool.open(folderOf(info), spoolBytes),
        log: this.logOf(info),
        open: () => this.openDriver(type, info),
        onLeft: () => void this.note(record),
        onOver: () => {
          if (this.writers.get(containerId) === writer) this.writers.delete(containerId);
        },
      },
      hasEnded,
    );
    this.writers.set(containerId, writer);
    return writer;
  }

  private async note(record: LeftRecord): Promise<void> {
    const folder = folderOf(record.info);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await writeFile(join(folder, RECORD), JSON.stringify(record), { mode: 0o600 });
  }

  private logOf(info: LogInfo): Logger {
    return this.log.child({ container: info.containerId });
  }
}

const folderOf = (info: LogInfo) => join(dirname(info.logPath), FOLDER);

async function readRecord(path: string): Promise<LeftRecord | undefined> {
  try {
    const record = JSON.parse(await readFile(path, 'utf8')) as LeftRecord;
    return { ...record, info: { ...record.info, createdAt: new Date(record.info.createdAt) } };
  } catch {
    return undefined;
  }
}
