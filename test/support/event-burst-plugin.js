const { ApiRoutes1, definePlugin, EventBus1, reply } = require('@gantry/sdk');

/** Publishes events that carry their own numbers: POST /burst?part=1&from=1&count=1000&per=250, `per` in 4 ms. */
exports.plugin = definePlugin({
  name: 'event-burst',
  version: '1.0.0',
  engine: '^0.1.0',
  provides: { routes: ApiRoutes1 },
  requires: { events: EventBus1 },
  start: ({ needs }) => ({
    routes: {
      routes: [
        {
          method: 'POST',
          path: '/burst',
          handle: async ({ query }) => {
            const from = Number(query.get('from'));
            const end = from + Number(query.get('count'));
            const part = Number(query.get('part'));
            const per = Number(query.get('per'));
            for (let n = from; n < end; n++) {
              const attributes = { name: 'burst', n: String(n), padding: 'x'.repeat(40) };
              needs.events.publish({ type: 'volume', action: 'burst', actor: { id: `part-${part}`, attributes } });
              // As many as a busy host might have, and never a whole burst in one turn of the loop.
              if (n % per === 0) await new Promise((resolve) => setTimeout(resolve, 4));
            }
            return reply.empty(204);
          },
        },
      ],
    },
  }),
});
