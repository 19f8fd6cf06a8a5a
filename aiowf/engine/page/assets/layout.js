/* Layered layout of a directed graph, from left to right. Pure functions. */

const SWEEPS = 6;

/**
 * Place boxes so that edges go to the right and cross little.
 *
 * @param {Map} boxes id → {w, h}, in an order that is kept where nothing speaks against it.
 * @param {Array} edges [from, to] pairs without cycles; others are ignored.
 * @param {{across: number, down: number}} gaps between layers, and between boxes of a layer.
 * @returns {{places: Map, lines: Array, width: number, height: number}} places: id → {x, y}, the
 *   left upper corners; lines: for each edge its points, from border to border.
 */
export function layout(boxes, edges, gaps) {
  const chosen = edges.filter(([from, to]) => boxes.has(from) && boxes.has(to) && from !== to);
  const depth = depths(boxes, chosen);
  const { layers, links, routes } = layered(boxes, chosen, depth);
  order(layers, links);
  const y = heights(layers, links, gaps.down);
  const x = [];
  let width = 0;
  for (const layer of layers) {
    const wide = Math.max(0, ...layer.map((item) => item.w));
    x.push({ left: width, wide });
    width += wide + gaps.across;
  }
  const top = Math.min(...layers.flat().map((item) => y.get(item)), Infinity);
  const places = new Map();
  let height = 0;
  for (const item of layers.flat()) {
    const column = x[item.layer];
    const place = { x: column.left + (column.wide - item.w) / 2, y: y.get(item) - top };
    item.place = place;
    height = Math.max(height, place.y + item.h);
    if (item.id !== undefined) places.set(item.id, place);
  }
  return { places, lines: routes.map(points), width: Math.max(0, width - gaps.across), height };
}

/** Return how many edges lie before each box, on the longest way to it. */
function depths(boxes, edges) {
  const waiting = new Map([...boxes.keys()].map((id) => [id, 0]));
  const after = new Map();
  for (const [from, to] of edges) {
    waiting.set(to, waiting.get(to) + 1);
    (after.get(from) ?? after.set(from, []).get(from)).push(to);
  }
  const depth = new Map([...boxes.keys()].map((id) => [id, 0]));
  const ready = [...waiting].filter(([, count]) => count === 0).map(([id]) => id);
  for (let at = 0; at < ready.length; at += 1) {
    for (const to of after.get(ready[at]) ?? []) {
      depth.set(to, Math.max(depth.get(to), depth.get(ready[at]) + 1));
      waiting.set(to, waiting.get(to) - 1);
      if (waiting.get(to) === 0) ready.push(to);
    }
  }
  return depth;
}

/** Make the layers, with a thin item wherever an edge passes through one. */
function layered(boxes, edges, depth) {
  const layers = [];
  const items = new Map();
  const add = (item) => {
    (layers[item.layer] ??= []).push(item);
    return item;
  };
  for (const [id, { w, h }] of boxes) items.set(id, add({ id, w, h, layer: depth.get(id) }));
  const links = { before: new Map(), after: new Map() };
  const link = (one, other) => {
    (links.after.get(one) ?? links.after.set(one, []).get(one)).push(other);
    (links.before.get(other) ?? links.before.set(other, []).get(other)).push(one);
  };
  const routes = edges.map(([from, to]) => {
    const route = [items.get(from)];
    for (let layer = depth.get(from) + 1; layer < depth.get(to); layer += 1) {
      route.push(add({ w: 0, h: 2, layer }));
    }
    route.push(items.get(to));
    for (let at = 1; at < route.length; at += 1) {
      if (route[at - 1].layer < route[at].layer) link(route[at - 1], route[at]);
    }
    return route;
  });
  return { layers: Array.from(layers, (layer) => layer ?? []), links, routes };
}

/** Sort each layer by the middle of its neighbours, to and fro. */
function order(layers, { before, after }) {
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    const forth = sweep % 2 === 0;
    const near = forth ? before : after;
    const turn = forth ? layers.slice(1) : layers.slice(0, -1).reverse();
    for (const layer of layers)
      layer.forEach((item, index) => {
        item.rank = index / layer.length;
      });
    for (const layer of turn) {
      for (const item of layer) {
        const all = near.get(item);
        item.wish = all ? mean(all.map((one) => one.rank)) : item.rank;
      }
      layer.sort((one, other) => one.wish - other.wish);
      layer.forEach((item, index) => {
        item.rank = index / layer.length;
      });
    }
  }
}

/** Give each item a height near its neighbours', without changing the order of a layer. */
function heights(layers, { before, after }, gap) {
  const y = new Map();
  for (const layer of layers) {
    let at = 0;
    const tall = layer.reduce((sum, item) => sum + item.h + gap, -gap);
    for (const item of layer) {
      y.set(item, at - tall / 2);
      at += item.h + gap;
    }
  }
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    const forth = sweep % 2 === 0;
    for (const layer of forth ? layers : [...layers].reverse()) {
      const wishes = layer.map((item) => {
        const all = [...((forth ? before : after).get(item) ?? [])];
        if (!all.length) return y.get(item) + item.h / 2;
        return mean(all.map((one) => y.get(one) + one.h / 2));
      });
      spread(layer, wishes, gap).forEach((place, index) => y.set(layer[index], place));
    }
  }
  return y;
}

/**
 * Return places as near to the wished middles as can be (least squares) for boxes in this order:
 * neighbours that would overlap become one block, which stands at the mean of their wishes.
 */
function spread(layer, wishes, gap) {
  const blocks = [];
  const offsets = [];
  let offset = 0;
  layer.forEach((item, index) => {
    offsets.push(offset);
    let block = { sum: wishes[index] - item.h / 2 - offset, count: 1 };
    while (blocks.length && blocks.at(-1).sum / blocks.at(-1).count > block.sum / block.count) {
      const above = blocks.pop();
      block = { sum: above.sum + block.sum, count: above.count + block.count };
    }
    blocks.push(block);
    offset += item.h + gap;
  });
  return blocks
    .flatMap(({ sum, count }) => Array(count).fill(sum / count))
    .map((place, index) => place + offsets[index]);
}

function points(route) {
  return route.flatMap(({ place, w, h }, index) => {
    const middle = place.y + h / 2;
    const ends = [
      [place.x, middle],
      [place.x + w, middle],
    ];
    return index === 0 ? [ends[1]] : index === route.length - 1 ? [ends[0]] : w ? ends : [ends[0]];
  });
}

const mean = (numbers) => numbers.reduce((sum, one) => sum + one, 0) / numbers.length;
