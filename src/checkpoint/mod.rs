//! Point-in-time images of all collections: page files and the manifest that commits them.
