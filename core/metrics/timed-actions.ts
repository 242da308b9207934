/** Which timer of dockerd a request belongs to: family and action. */
export interface TimedAction {
  readonly family: 'container' | 'image' | 'network' | 'host';
  readonly action: string;
}

const routes: Readonly<Record<string, TimedAction>> = {
  'POST /containers/create': { family: 'container', action: 'create' },
  'POST /containers/{id}/start': { family: 'container', action: 'start' },
  'GET /containers/{id}/changes': { family: 'container', action: 'changes' },
  'DELETE /containers/{id}': { family: 'container', action: 'delete' },
  'POST /commit': { family: 'container', action: 'commit' },
  'POST /images/create': { family: 'image', action: 'pull' },
  'POST /images/{name...}/push': { family: 'image', action: 'push' },
  'POST /images/load': { family: 'image', action: 'load' },
  'GET /images/get': { family: 'image', action: 'save' },
  'GET /images/{name...}/get': { family: 'image', action: 'save' },
  'DELETE /images/{name...}': { family: 'image', action: 'delete' },
  'GET /images/search': { family: 'image', action: 'search' },
  'GET /info': { family: 'host', action: 'system_info' },
  'GET /version': { family: 'host', action: 'system_version' },
};

const pluginMethods: Readonly<Record<string, TimedAction>> = {
  'networks.openSandbox': { family: 'network', action: 'allocate' },
  'networks.closeSandbox': { family: 'network', action: 'release' },
  'networks.connect': { family: 'network', action: 'connect' },
};

export const actionOfRoute = (method: string, path: string): TimedAction | undefined => routes[`${method} ${path}`];
export const actionOfCall = (method: string): TimedAction | undefined => pluginMethods[method];

/** Actions whose timers are there before anything happened, as dockerd's are. */
export const firstActions: readonly TimedAction[] = ['changes', 'commit', 'create', 'delete', 'start'].map(
  (action) => ({
    family: 'container',
    action,
  }),
);
