function (doc) {
  if (doc.type === "product") {
    emit(doc.type, doc.price * doc.stock);
  }
}
