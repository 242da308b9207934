import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errorMessage, type Logger, type LogInfo, type LogWriter, type MetricFamily, waitAtMost } from '@gantry/sdk';
import { patientWriter } from '@gantry/sdk/log-drivers';
import { type DropCounter, messagesIn } from '../dropped-messages';
import { RingWriter } from '../pump/ring-writer';
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

/** How long a container that runs already waits for its driver to be opened before what it prints is kept. */
const RESUMED_MS = 1500;

/** One run of a container. */
export interface RunOptions {
  readonly spoolBytes: number;
  /** It runs already: its back end may come later. */
  readonly isResumed: boolean;
  readonly drops: DropCounter;
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

  /** The writer for a container that runs. What is left of its earlier runs goes first. */
  async open(type: string, info: LogInfo, { spoolBytes, isResumed, drops }: RunOptions): Promise<LogWriter> {
    if (spoolBytes === 0) return this.openWithoutSpool(type, info, drops);
    await this.writers.get(info.containerId)?.closed();
    const opening = this.openDriver(type, info);
    let late: Promise<LogWriter> | undefined;
    let inner: LogWriter | undefined;
    if (!isResumed) inner = await opening;
    else {
      const opened = opening.then(
        (writer) => {
          inner = writer;
        },
        (error) =>
          this.logOf(info).warn('the log back end is away, output is kept for it', { error: errorMessage(error) }),
      );
      await waitAtMost(RESUMED_MS, opened);
      if (inner === undefined) late = opening;
    }
    await this.writers.get(info.containerId)?.abandon();
    const open = () => {
      const first = late;
      late = undefined;
      return first ?? this.openDriver(type, info);
    };
    return this.writer(inner, { type, info, spoolBytes }, { open, drops });
  }

  private async openWithoutSpool(type: string, info: LogInfo, drops: DropCounter): Promise<LogWriter> {
    const inner = await this.openDriver(type, info);
    const writer = patientWriter(inner);
    return inner.asideBytes === undefined ? writer : new RingWriter(writer, inner.asideBytes, this.logOf(info), drops);
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
      if (record !== undefined && !this.writers.has(record.info.containerId))
        this.writer(undefined, record, { hasEnded: true });
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

  private writer(
    inner: LogWriter | undefined,
    record: LeftRecord,
    how: { readonly hasEnded?: boolean; readonly drops?: DropCounter; open?(): Promise<LogWriter> },
  ): SpooledWriter {
    const { type, info, spoolBytes } = record;
    const { containerId } = info;
    const writer = new SpooledWriter(
      inner,
      {
        spool: Spool.open(folderOf(info), spoolBytes),
        log: this.logOf(info),
        open: how.open ?? (() => this.openDriver(type, info)),
        onLeft: () => void this.note(record),
        onOver: () => {
          if (this.writers.get(containerId) === writer) this.writers.delete(containerId);
          how.drops?.tell();
        },
        onDropped: (batch) => how.drops?.add(messagesIn(batch)),
      },
      how.hasEnded,
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
