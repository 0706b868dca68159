"""The design document ``_design/_auth`` of ``_users``, whose validation function guards user documents.

It is a document like any other: clients read it, and a server admin may replace it. So the rules are written in
JavaScript, and run where every other validation function runs; there is no second copy of them in Python.
Source: CouchDB documentation, "Intro: Security: Users Documents".
"""

from __future__ import annotations

from typing import Any

from couchfake.values import json

DOCID = "_design/_auth"

_VALIDATE = """function (newDoc, oldDoc, userCtx, secObj) {
  function refuse(reason) {
    throw({forbidden: reason});
  }
  function holdsOneOf(roles, wanted) {
    return roles.some(function (role) { return wanted.indexOf(role) !== -1; });
  }
  function isAdmin() {
    var admins = (secObj && secObj.admins) || {};
    return userCtx.roles.indexOf('_admin') !== -1 ||
      (admins.names || []).indexOf(userCtx.name) !== -1 ||
      holdsOneOf(userCtx.roles, admins.roles || []);
  }

  if (newDoc._deleted === true) {
    // The user and server admins may delete, whatever else the document says.
    if (userCtx.roles.indexOf('_admin') === -1 && !(oldDoc && oldDoc.name == userCtx.name)) {
      refuse('Only admins may delete other user docs.');
    }
    return;
  }
  if (newDoc.type !== 'user') refuse('doc.type must be user');
  if (!newDoc.name) refuse('doc.name is required');
  if (!newDoc.roles) refuse('doc.roles must exist');
  if (!isArray(newDoc.roles)) refuse('doc.roles must be an array');
  newDoc.roles.forEach(function (role) {
    if (typeof role !== 'string') refuse('doc.roles can only contain strings');
  });
  if (newDoc._id !== 'org.couchdb.user:' + newDoc.name) {
    refuse('Doc ID must be of the form org.couchdb.user:name');
  }
  if (oldDoc && oldDoc.name !== newDoc.name) refuse('Usernames can not be changed.');
  if (newDoc.password_sha && !newDoc.salt) {
    refuse('Users with password_sha must have a salt.See /_utils/script/couch.js for example code.');
  }
  var schemes = ['simple', 'pbkdf2', 'bcrypt'];
  if (newDoc.password_scheme && schemes.indexOf(newDoc.password_scheme) === -1) {
    refuse('Password scheme `' + newDoc.password_scheme + '` not supported.');
  }
  if (newDoc.password_scheme === 'pbkdf2') {
    if (typeof newDoc.iterations !== 'number') refuse('iterations must be a number.');
    if (typeof newDoc.derived_key !== 'string') refuse('derived_key must be a string.');
  }
  if (!isAdmin()) {
    if (!oldDoc) {
      if (newDoc.roles.length > 0) refuse('Only _admin may set roles');
    } else {
      if (userCtx.name !== newDoc.name) refuse('You may only update your own user document.');
      if (JSON.stringify(oldDoc.roles.slice().sort()) !== JSON.stringify(newDoc.roles.slice().sort())) {
        refuse('Only _admin may edit roles');
      }
    }
  }
  newDoc.roles.forEach(function (role) {
    if (role.charAt(0) === '_' && role !== '_metrics') {
      refuse('No system roles (starting with underscore) in users db.');
    }
  });
  if (newDoc.name.charAt(0) === '_') refuse('Username may not start with underscore.');
  if (newDoc.name.indexOf(':') !== -1) refuse('Character `:` is not allowed in usernames.');
}"""


def auth_ddoc_body() -> dict[str, Any]:
    """The design document without its underscore members."""
    return {"language": "javascript", "validate_doc_update": _VALIDATE}


AUTH_DDOC_JSON = json.encode(auth_ddoc_body())
