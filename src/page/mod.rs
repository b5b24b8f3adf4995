//! Entries and the pages that hold them: the unit of dirty tracking, pre-images and disk format.
