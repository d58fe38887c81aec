// The stream of states from the server. It is open while the page is visible: over HTTP/1.1 a browser has six
// connections for all tabs, and the recordings need them.

const pause = 3_000; // milliseconds until a stream that the server has ended is opened again

export class Events {
  #source = null;
  #hooks;

  // The hooks are visits(list), connection('live' or 'lost') and ended(), which says that the server has ended the
  // stream for a reason of its own.
  constructor(hooks) {
    this.#hooks = hooks;
  }

  open() {
    if (this.#source || document.hidden) return;
    const source = new EventSource('/events');
    this.#source = source;
    source.addEventListener('visits', ({ data }) => {
      this.#hooks.connection('live');
      this.#hooks.visits(JSON.parse(data));
    });
    source.onerror = () => {
      this.#hooks.connection('lost');
      if (source.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
      this.close();
      setTimeout(() => this.#hooks.ended(), pause);
    };
  }

  close() {
    this.#source?.close();
    this.#source = null;
  }
}
