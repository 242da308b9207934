const { mkdir, readdir, rm } = require('node:fs/promises');
const { join } = require('node:path');
const { conflict, invalidParameter, notFound } = require('@gantry/sdk');

/**
 * Volumes as directories below `root`. Mounts are forgotten when this program ends: keep them on disk if yours mean
 * something.
 *
 * @param {string} root
 * @returns {Promise<import('@gantry/sdk').VolumeDriver>}
 */
exports.openDriver = async (root) => {
  await mkdir(root, { recursive: true });
  const names = new Set(await readdir(root));
  /** @type {Map<string, Set<string>>} */
  const users = new Map();
  /** @param {string} name */
  const pathOf = (name) => {
    if (!names.has(name)) throw notFound(`no such volume: ${name}`);
    return join(root, name);
  };
  return {
    capabilities: async () => ({ scope: 'local' }),
    async create(name, options) {
      for (const option of Object.keys(options)) throw invalidParameter(`there is no option "${option}"`);
      if (!/^\w[\w.-]*$/.test(name)) throw invalidParameter(`"${name}" cannot be a directory`);
      await mkdir(join(root, name), { recursive: true });
      names.add(name);
    },
    async remove(name) {
      const path = pathOf(name);
      if (users.get(name)?.size) throw conflict(`volume ${name} is mounted`);
      await rm(path, { recursive: true });
      names.delete(name);
    },
    // An id is new for every mount of every container; said twice it changes nothing.
    async mount(name, id) {
      const path = pathOf(name);
      users.set(name, (users.get(name) ?? new Set()).add(id));
      return path;
    },
    async unmount(name, id) {
      pathOf(name);
      users.get(name)?.delete(id);
    },
    path: async (name) => pathOf(name),
    get: async (name) => ({ name, mountpoint: pathOf(name) }),
    list: async () => [...names].map((name) => ({ name, mountpoint: join(root, name) })),
  };
};
