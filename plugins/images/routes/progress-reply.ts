import { type ApiReply, type ApiRequest, progressReply as replyWithProgress } from '@gantry/sdk';
import { ProgressWriter } from '../engine/progress';

/** A reply of progress lines, with bars. */
export const progressReply = (
  request: ApiRequest,
  work: (progress: ProgressWriter, signal: AbortSignal) => Promise<void>,
): Promise<ApiReply> => replyWithProgress(request, (progress, signal) => work(new ProgressWriter(progress), signal));
