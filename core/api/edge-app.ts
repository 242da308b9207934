import type { Express } from 'express';
import type { Wire } from './doors/wire';
import { sendBody } from './pipeline/send-body';
import type { AnswerHeaders } from './pipeline/server-headers';
import type { RequestTarget } from './request/request-target';

/**
 * Answers what no route does. Express is loaded with the first such request: the daemon boots, and serves its API,
 * without it.
 */
export function edgeApp(common: AnswerHeaders): (wire: Wire, target: RequestTarget) => void {
  let app: Express | undefined;
  return (wire, target) => {
    const { request, response } = wire;
    if (target.redirectTo !== undefined) {
      sendBody(response, 301, { ...common, Location: target.redirectTo }, '');
      return;
    }
    app ??= makeApp(common);
    app(request, response);
  };
}

function makeApp(common: AnswerHeaders): Express {
  const express: typeof import('express') = require('express');
  const app = express();
  app.set('etag', false);
  app.set('x-powered-by', false);
  app.options('/{*any}', (_request, response) => sendBody(response, 200, common, ''));
  app.use((_request, response) => {
    const headers = { ...common, 'Content-Type': 'application/json' };
    // dockerd answers a known path with another method in the same way.
    sendBody(response, 404, headers, `${JSON.stringify({ message: 'page not found' })}\n`);
  });
  return app;
}
