// Small helpers for the document. Text is always set as text: nothing from the server becomes markup.

export const $ = (id) => document.getElementById(id);

// el makes an element with properties and children.
export function el(name, properties = {}, ...children) {
  const element = document.createElement(name);
  const { dataset = {}, ...rest } = properties;
  Object.assign(element, rest);
  Object.assign(element.dataset, dataset);
  element.append(...children);
  return element;
}

// say speaks a sentence to a screen reader.
export function say(text) {
  $('spoken').textContent = text;
}

// notice shows a message under a name until it is replaced, closed or withdrawn. The same message is not spoken twice.
export function notice(name, kind, text, ...buttons) {
  const old = $(`notice-${name}`);
  if (old?.dataset.text === text) return;
  old?.remove();
  const close = el('button', { type: 'button', className: 'quiet', onclick: () => withdraw(name) }, 'Close');
  $('notices').append(el('div', { id: `notice-${name}`, className: 'notice', dataset: { kind, text } },
    el('p', {}, text), ...buttons, close));
}

export function withdraw(name) {
  $(`notice-${name}`)?.remove();
}
