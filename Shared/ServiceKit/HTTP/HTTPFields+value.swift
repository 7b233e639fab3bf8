public import HTTPTypes

extension HTTPFields {
    /// The value of a field: what `self[name]` gives, without joining what comes once, as nearly all do.
    public func value(of name: HTTPField.Name) -> String? {
        var found: String?
        for field in self where field.name == name {
            guard found == nil else { return self[name] }
            found = field.value
        }
        return found
    }
}
