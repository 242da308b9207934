/** How often pids are looked at. Only exits that the shim failed to report are found this late. */
const PERIOD_MS = 2_000;

export interface ProcessWatch {
  stop(): void;
}

const watched = new Set<{ pid: number; onGone: () => void }>();
let timer: NodeJS.Timeout | undefined;

/** Calls `onGone`, once a period until stopped, while there is no process with this pid. One timer for all. */
export function watchProcess(pid: number, onGone: () => void): ProcessWatch {
  const entry = { pid, onGone };
  watched.add(entry);
  if (timer === undefined) {
    timer = setInterval(look, PERIOD_MS);
    timer.unref();
  }
  return {
    stop() {
      watched.delete(entry);
      if (watched.size > 0) return;
      clearInterval(timer);
      timer = undefined;
    },
  };
}

function look(): void {
  for (const { pid, onGone } of watched) {
    try {
      process.kill(pid, 0);
    } catch {
      onGone();
    }
  }
}
