// Elements as data, and the smallest change that makes a part of the page show them: what is focused,
// selected or scrolled stays as it is when figures change.

const SVG = 'http://www.w3.org/2000/svg';
const AS_PROPERTY = new Set(['value', 'checked', 'disabled', 'open', 'indeterminate']);

function flat(kids, out = []) {
  for (const kid of kids) {
    if (Array.isArray(kid)) {
      flat(kid, out);
    } else if (kid !== null && kid !== undefined && kid !== false && kid !== true) {
      out.push(typeof kid === 'object' ? kid : { text: String(kid) });
    }
  }
  return out;
}

// h('a', { href, class, key, style: {}, onclick, ref(element) }, ...kids); null, false and nested arrays are fine.
export function h(tag, props, ...kids) {
  return { tag, props: props ?? {}, kids: flat(kids), key: props?.key };
}

function set(element, name, value, before) {
  if (name === 'key' || name === 'ref') {
    return;
  }
  if (name.startsWith('on')) {
    element[name] = value ?? null;
  } else if (name === 'style') {
    for (const part of Object.keys({ ...before, ...value })) {
      element.style.setProperty(part, value?.[part] ?? '');
    }
  } else if (AS_PROPERTY.has(name) && name in element) {
    const wanted = value ?? (typeof element[name] === 'boolean' ? false : '');
    if (element[name] !== wanted) {
      element[name] = wanted;
    }
  } else if (value === null || value === undefined || value === false) {
    element.removeAttribute(name);
  } else {
    element.setAttribute(name, value === true ? '' : value);
  }
}

function create(node, isSvg) {
  if (node.text !== undefined) {
    node.element = document.createTextNode(node.text);
    return node.element;
  }
  const inside = isSvg || node.tag === 'svg';
  const element = inside ? document.createElementNS(SVG, node.tag) : document.createElement(node.tag);
  node.element = element;
  for (const kid of node.kids) {
    element.append(create(kid, inside));
  }
  for (const [name, value] of Object.entries(node.props)) {
    set(element, name, value);
  }
  node.props.ref?.(element);
  return element;
}

const isAlike = (a, b) => a.tag === b.tag && a.key === b.key && (a.text === undefined) === (b.text === undefined);

function update(old, node) {
  const element = old.element;
  node.element = element;
  if (node.text !== undefined) {
    if (old.text !== node.text) {
      element.data = node.text;
    }
    return;
  }
  updateKids(element, old.kids, node.kids);
  for (const name of Object.keys(old.props)) {
    if (!(name in node.props)) {
      set(element, name, undefined, old.props[name]);
    }
  }
  for (const [name, value] of Object.entries(node.props)) {
    const isTyped = name === 'value' && element.tagName === 'INPUT'; // what is being typed is the reader's
    if (isTyped ? value !== old.props[name] && element !== document.activeElement
      : value !== old.props[name] || (AS_PROPERTY.has(name) && element[name] !== value)) {
      set(element, name, value, old.props[name]);
    }
  }
}

function updateKids(parent, olds, kids) {
  const keyed = new Map();
  const rest = [];
  for (const old of olds) {
    if (old.key !== undefined) {
      keyed.set(old.key, old);
    } else {
      rest.push(old);
    }
  }
  const used = new Set();
  let next = 0;
  const matches = kids.map((kid) => {
    let old = null;
    if (kid.key !== undefined) {
      old = keyed.get(kid.key) ?? null;
    } else if (next < rest.length) {
      old = rest[next++];
    }
    old = old && isAlike(old, kid) ? old : null;
    if (old) {
      used.add(old);
    }
    return old;
  });
  for (const old of olds) {
    if (!used.has(old)) {
      old.element.remove();
    }
  }
  const inside = parent.namespaceURI === SVG;
  let at = parent.firstChild;
  kids.forEach((kid, i) => {
    if (matches[i]) {
      update(matches[i], kid);
      if (kid.element === at) {
        at = at.nextSibling;
      } else {
        parent.insertBefore(kid.element, at);
      }
    } else {
      parent.insertBefore(create(kid, inside), at);
    }
  });
}

const shown = new WeakMap();

// Makes `kids` the content of `element`, which belongs to this function from then on.
export function render(element, ...kids) {
  const list = flat(kids);
  if (!shown.has(element)) {
    element.replaceChildren();
  }
  updateKids(element, shown.get(element) ?? [], list);
  shown.set(element, list);
}
