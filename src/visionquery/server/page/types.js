/**
 * The documents of the HTTP API, as types. Nothing runs here: other modules name these in JSDoc.
 *
 * @typedef {object} Part
 * @property {string} text
 * @property {'description'|'picture'|'filter'} kind
 * @property {boolean} excluded
 * @property {number} confidence 0..1
 * @property {number|null} score
 * @property {string[]} words
 * @property {[number, number, number, number]|null} box where it was found: left, top, width, height in percent
 *
 * @typedef {object} Hit
 * @property {number|null} rank
 * @property {number|null} score null where nothing was compared, so that confidence says nothing
 * @property {number} confidence 0..1
 * @property {string} image_id
 * @property {string|null} path
 * @property {string[]} paths
 * @property {string|null} fragment which part of its file it is: t=12.48, page=3, member=a/b.jpg
 * @property {number} width
 * @property {number} height
 * @property {string|null} taken_at
 * @property {Part[]} parts
 * @property {[number, number, number, number]|null} box where it was found, null where the whole says more
 * @property {string[]} folded ids of pictures that are much the same and stand behind it
 *
 * @typedef {object} QueryPart
 * @property {string} text
 * @property {'description'|'picture'|'example'|'filter'|'group'} kind
 * @property {string|null} field
 * @property {boolean} excluded
 * @property {string[]} image_ids
 * @property {string} without
 *
 * @typedef {object} Answer
 * @property {string} query
 * @property {string} canonical
 * @property {QueryPart[]} query_parts
 * @property {string} model
 * @property {boolean} exact
 * @property {number} seconds
 * @property {number|null} min_confidence
 * @property {number} total
 * @property {number} folded_away how many of them stand behind others
 * @property {string|null} reranked_by the model that looked once more, null where none did
 * @property {boolean} second_look whether a second model would refine this answer
 * @property {Hit[]} results
 * @property {Hit[]} closest
 * @property {string|null} next_cursor
 *
 * @typedef {object} Reading
 * @property {string} query
 * @property {string} canonical
 * @property {string} outline
 * @property {QueryPart[]} query_parts
 *
 * @typedef {object} Facts
 * @property {string} image_id
 * @property {number} width
 * @property {number} height
 * @property {string} format
 * @property {number} size_bytes
 * @property {string|null} camera
 * @property {string|null} taken_at
 * @property {number|null} latitude
 * @property {number|null} longitude
 * @property {string|null} caption
 * @property {string[]} keywords
 * @property {string|null} text
 * @property {string[]} paths
 * @property {Object<string, string>} fragments by path, where a file holds several pictures
 *
 * @typedef {object} Explanation
 * @property {boolean} relevant
 * @property {number|null} rank
 * @property {number} images
 * @property {string[]} left_out_by
 * @property {string} verdict
 * @property {Hit} hit
 *
 * @typedef {{value: string, count: number}} Count
 *
 * @typedef {object} Facets
 * @property {Count[]} cameras
 * @property {Count[]} types
 * @property {Count[]} folders
 * @property {string|null} first_date
 * @property {string|null} last_date
 *
 * @typedef {object} Root
 * @property {string} location
 * @property {boolean} present
 * @property {number} files
 * @property {number} skipped
 *
 * @typedef {object} Status
 * @property {string} version
 * @property {string} location
 * @property {string} model
 * @property {number} embed_dim
 * @property {number} images
 * @property {number} size_bytes
 * @property {Root[]} roots
 * @property {{model: string, done: number, images: number}|null} reencoding
 * @property {number} regions how many images were looked at in parts
 * @property {boolean} may_index_new_folders
 *
 * @typedef {object} Report
 * @property {number} added
 * @property {number} updated
 * @property {number} reused
 * @property {number} unchanged
 * @property {number} removed
 * @property {number} images
 * @property {{path: string, reason: string}[]} skipped
 * @property {string[]} notes
 *
 * @typedef {object} Problem
 * @property {string} type
 * @property {string} title
 * @property {number} status
 * @property {string} detail
 * @property {number} [position]
 * @property {string} [expected]
 *
 * @typedef {object} Job
 * @property {string} job_id
 * @property {string[]} paths
 * @property {'waiting'|'running'|'done'|'failed'|'cancelled'} state
 * @property {number} done
 * @property {number} total
 * @property {number} encoded
 * @property {number} seconds
 * @property {Report|null} report
 * @property {Problem|null} problem
 */

export {};
