/* verbs - the list of verbs, in the order of the help. Included with VERB() defined. */
VERB(up)
VERB(status)
VERB(down)
VERB(run)
