import HTTPTypes
import Testing

@testable import ServiceKit

@Suite struct HTTPFieldsTests {
    @Test func `a value is what the subscript gives, however often the field comes`() {
        var fields = HTTPFields()
        fields.append(HTTPField(name: .accept, value: "a"))
        fields.append(HTTPField(name: .contentType, value: ""))
        fields.append(HTTPField(name: .cookie, value: "b"))
        fields.append(HTTPField(name: .accept, value: "c"))
        fields.append(HTTPField(name: .cookie, value: "d"))
        #expect(fields.value(of: .accept) == "a, c")
        #expect(fields.value(of: .contentType) == "")
        #expect(fields.value(of: .upgrade) == nil)
        for name in [HTTPField.Name.accept, .contentType, .cookie, .upgrade] {
            #expect(fields.value(of: name) == fields[name])
        }
    }
}
