const { mkdir, writeFile } = require('node:fs/promises');
const { request } = require('node:http');
const { join } = require('node:path');

const metricsSocket = process.env.METRICS_SOCKET ?? '/run/docker/metrics.sock';

/** @returns {Promise<string>} the metrics of the daemon, as Prometheus reads them */
const readMetrics = () =>
  new Promise((resolve, reject) => {
    const call = request({ socketPath: metricsSocket, path: '/metrics', agent: false }, async (answer) => {
      let text = '';
      for await (const chunk of answer) text += chunk;
      resolve(text);
    });
    call.on('error', reject);
    call.end();
  });

/**
 * Keeps the latest metrics in `root/metrics.txt`.
 *
 * @param {string} root
 * @returns {Promise<import('@gantry/sdk').MetricsCollector>}
 */
exports.openDriver = async (root) => {
  await mkdir(root, { recursive: true });
  const keep = async () => writeFile(join(root, 'metrics.txt'), await readMetrics());
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  const look = () => void keep().catch((error) => console.error(`no metrics: ${error.message}`));
  return {
    async startMetrics() {
      clearInterval(timer);
      timer = setInterval(look, 1000);
      look();
    },
    stopMetrics: async () => clearInterval(timer),
  };
};
