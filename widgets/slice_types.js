/** What the kernel tells of images and masks; see views/slice_viewer.py, which makes it. Types only. */

/**
 * @typedef {{id: string, name: string, modality: string, unit: string, size: number[], spacing: number[],
 *   matrix: number[], dtype: string, slope?: number, intercept?: number, window: number[],
 *   presets: {name: string, low: number, high: number}[], colormap: string, opacity?: number, remote?: boolean,
 *   range: number[], description?: string}} Picture
 */
/**
 * @typedef {{edges: number[], counts: number[], lines: [string, string][], unit: string}} Histogram
 */
/**
 * @typedef {{id: string, name: string, colour: string, box: number[], volume: string, visible?: boolean,
 *   histogram: Histogram | null}} Roi
 */
/**
 * @typedef {{roi: string, name: string, strokes: number, can_undo: boolean, can_redo: boolean, unsaved: boolean,
 *   author: string}} Editing
 */
/** @typedef {Record<string, any> & {type: string, token: string}} Message */
/** @typedef {import("@anywidget/types").AnyModel} Model */

export {};
