// The events of htmx and of its WebSocket extension. Only this script listens to them. The other scripts
// subscribe here, and are called in the order in which they subscribed.
import { ids } from "./page.js";

function subscription(name, valueOf) {
  return (subscriber) => document.addEventListener(name, (event) => subscriber(valueOf(event)));
}

// Requests. Subscribers get the context of htmx: {request, response, sourceElement, sourceEvent, target}.
const contextOf = ({ detail }) => detail.ctx;
export const onRequest = subscription("htmx:before:request", contextOf);
export const onResponse = subscription("htmx:before:response", contextOf);
export const onRequestEnd = subscription("htmx:finally:request", contextOf);

// onNoResponse is for requests that failed before a response came.
export function onNoResponse(subscriber) {
  document.addEventListener("htmx:error", ({ detail: { ctx } }) => {
    if (ctx?.request && !ctx.response) subscriber(ctx);
  });
}

// targetOf returns the element that the response to a request is for.
export function targetOf({ target }) {
  return typeof target === "string" ? document.querySelector(target) : target;
}

// Swap is a change of the page, by a response or by a frame of the socket.
class Swap {
  constructor(event) {
    this.event = event;
    this.context = event.detail.ctx;
    this.tasks = event.detail.tasks ?? []; // {target, fragment, swapSpec}; subscribers may change them
    this.source = this.context.sourceElement;
    this.isResponse = this.context.request !== undefined;
    this.isFrame = !this.isResponse && event.target.hasAttribute?.("hx-ws:connect") === true;
  }

  // taskFor returns the task that changes the element with this id, if there is one.
  taskFor(id) {
    return this.tasks.find(({ target }) => target?.id === id);
  }

  // cancel leaves the page as it is.
  cancel() {
    this.event.preventDefault();
  }
}
const swapOf = (event) => new Swap(event);
export const onBeforeSwap = subscription("htmx:before:swap", swapOf);

// onSwap is for swaps that are done. They have no tasks.
export const onSwap = subscription("htmx:after:swap", swapOf);

// onRestore is for a page that Back or Forward has restored: all elements in its body are new.
export function onRestore(subscriber) {
  onSwap(({ context }) => {
    if (targetOf(context) === document.body) subscriber();
  });
}

// The socket. Subscribers get the connection object of hx-ws.
const connectionOf = ({ detail }) => detail.connection;
export const onConnecting = subscription("htmx:ws:before:connection", connectionOf);
export const onConnected = subscription("htmx:ws:after:connection", connectionOf);

// onDisconnected passes {connection, reason, code}.
export const onDisconnected = subscription("htmx:ws:close", ({ detail }) => detail);

// onMessage is for any message of the socket, before its swap.
export const onMessage = subscription("htmx:ws:before:message:incoming", () => undefined);

// onHeartbeat passes the time of the server, in ms since the epoch. The element of a heartbeat has it.
export function onHeartbeat(subscriber) {
  onBeforeSwap((swap) => {
    const heartbeat = swap.isFrame && swap.taskFor(ids.heartbeat);
    if (heartbeat) subscriber(Number(heartbeat.fragment.querySelector(`#${ids.heartbeat}`).dataset.at));
  });
}
